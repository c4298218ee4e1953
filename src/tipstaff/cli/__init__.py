"""The command line. It acts through procedures and reads through queries."""

from .main import main

__all__ = ["main"]
