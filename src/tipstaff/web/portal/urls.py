"""Addresses of the portal."""

from django.urls import path

from . import views

app_name = "portal"
urlpatterns = [path("<str:token>", views.case, name="case")]
