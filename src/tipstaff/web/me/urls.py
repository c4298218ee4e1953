"""Addresses of one's own page."""

from django.urls import path

from . import views

app_name = "me"
urlpatterns = [
    path("", views.me, name="me"),
    path("codes/begin", views.begin_codes, name="begin_codes"),
    path("codes/confirm", views.confirm_codes, name="confirm_codes"),
    path("passkey/options", views.passkey_options, name="passkey_options"),
    path("passkey", views.add_passkey, name="add_passkey"),
    path("company", views.link_company, name="link_company"),
    path("company/unlink", views.unlink_company, name="unlink_company"),
    path("times", views.times, name="times"),
    path("recovery", views.recovery, name="recovery"),
    path("factors/<int:id>/remove", views.remove, name="remove"),
    path("sessions/<int:id>/end", views.end, name="end"),
    path("sessions/end", views.end_others, name="end_others"),
]
