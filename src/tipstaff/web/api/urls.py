"""Addresses of the API."""

from django.urls import path

from .cases import router as cases
from .figures import router as figures
from .registry import router
from .resources import api

api.add_router("/registry", router)
api.add_router("/figures", figures)
api.add_router("", cases)

urlpatterns = [path("", api.urls)]
