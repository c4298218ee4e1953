"""Addresses of the API."""

from django.urls import path

from .figures import router as figures
from .registry import router
from .resources import api

api.add_router("/registry", router)
api.add_router("/figures", figures)

urlpatterns = [path("", api.urls)]
