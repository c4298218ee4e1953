"""Attribution as a Django app."""

from django.apps import AppConfig


class Attribution(AppConfig):
    name = "tipstaff.attribution"
    label = "attribution"
    default_auto_field = "django.db.models.BigAutoField"
