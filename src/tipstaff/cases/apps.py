"""Cases as a Django app."""

from django.apps import AppConfig


class Cases(AppConfig):
    name = "tipstaff.cases"
    label = "cases"
    default_auto_field = "django.db.models.BigAutoField"
