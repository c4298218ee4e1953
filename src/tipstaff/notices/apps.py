"""The notices room as a Django app."""

from django.apps import AppConfig


class Notices(AppConfig):
    name = "tipstaff.notices"
    label = "notices"
    default_auto_field = "django.db.models.BigAutoField"
