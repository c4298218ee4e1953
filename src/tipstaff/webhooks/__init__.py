"""Tells programs of the operator and of customers that something happened. It tells which, and never what was said."""
