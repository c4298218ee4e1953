"""The ledger as a Django app."""

from django.apps import AppConfig


class Ledger(AppConfig):
    name = "tipstaff.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
