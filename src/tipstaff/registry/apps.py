"""The registry as a Django app."""

from django.apps import AppConfig


class Registry(AppConfig):
    name = "tipstaff.registry"
    label = "registry"
    default_auto_field = "django.db.models.BigAutoField"
