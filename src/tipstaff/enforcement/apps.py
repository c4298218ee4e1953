"""Enforcement as a Django app."""

from django.apps import AppConfig


class Enforcement(AppConfig):
    name = "tipstaff.enforcement"
    label = "enforcement"
    default_auto_field = "django.db.models.BigAutoField"
