"""Sensors as a Django app."""

from django.apps import AppConfig


class Sensors(AppConfig):
    name = "tipstaff.sensors"
    label = "sensors"
    default_auto_field = "django.db.models.BigAutoField"
