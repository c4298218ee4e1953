"""Addresses of the API."""

from django.urls import path

from .resources import api

urlpatterns = [path("", api.urls)]
