"""Notices, counter-notices and strikes about works; it refuses to judge whether a work is infringed. Empty so far.

Nothing is in it yet. Until then a copyright notice is read by `intake` and judged by its clause like any other report.
"""
