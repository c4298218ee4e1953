"""Tells the operator's own programs that something stands in the record. It tells which, and never what was said."""
