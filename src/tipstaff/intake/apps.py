"""The intake room as a Django app."""

from django.apps import AppConfig


class Intake(AppConfig):
    name = "tipstaff.intake"
    label = "intake"
    default_auto_field = "django.db.models.BigAutoField"
