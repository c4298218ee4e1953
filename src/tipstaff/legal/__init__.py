"""Requests from authorities, holds and disclosures; it refuses to disclose what no counsel has signed.

`form` looks at the form of notices and orders; the register keeps what counsel alone reads and decides.
"""
