"""Addresses of console, portal and public pages."""

urlpatterns: list[object] = []
