"""Editions as a Django app."""

from django.apps import AppConfig


class Editions(AppConfig):
    name = "tipstaff.editions"
    label = "editions"
    default_auto_field = "django.db.models.BigAutoField"
