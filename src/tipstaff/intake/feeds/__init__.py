"""Feeds that are fetched on a schedule; what comes is kept as evidence and read like any other report."""
