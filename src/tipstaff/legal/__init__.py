"""Requests from authorities, holds and disclosures; it refuses to disclose what no counsel has signed. Empty so far.

Nothing is in it yet. Until then such requests are handled outside Tipstaff.
"""
