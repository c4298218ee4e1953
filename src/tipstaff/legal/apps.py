"""The legal register as a Django app."""

from django.apps import AppConfig


class Legal(AppConfig):
    name = "tipstaff.legal"
    label = "legal"
    default_auto_field = "django.db.models.BigAutoField"
