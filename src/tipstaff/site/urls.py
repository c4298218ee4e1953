"""All addresses come from the web room."""

from django.urls import include, path

urlpatterns = [path("", include("tipstaff.web.urls"))]
