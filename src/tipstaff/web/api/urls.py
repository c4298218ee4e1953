"""Addresses of the API."""

from django.urls import path

from .registry import router
from .resources import api

api.add_router("/registry", router)

urlpatterns = [path("", api.urls)]
