"""Profiles of known reporters: declared, tested by their own samples before they are used, changed without a deploy."""
