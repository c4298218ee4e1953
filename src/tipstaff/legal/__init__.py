"""Requests from authorities, holds and disclosures; it refuses to disclose what no counsel has signed.

So far only the form of notices and orders is looked at (`form`). Requests of authorities are handled outside Tipstaff.
"""
