"""Tipstaff: from evidence to the narrowest effective action, with a reason that anyone can check."""

__version__ = "0.1.0"
