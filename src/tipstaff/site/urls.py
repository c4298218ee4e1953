"""All addresses come from the web room."""

from django.urls import include, path

# Django reads these names in this module only.
handler400 = "tipstaff.web.public.views.bad_request"
handler403 = "tipstaff.web.public.views.forbidden"
handler404 = "tipstaff.web.public.views.not_found"
handler500 = "tipstaff.web.public.views.failed"

urlpatterns = [path("", include("tipstaff.web.urls"))]
