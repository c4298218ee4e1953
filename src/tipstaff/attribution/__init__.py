"""Says who held an address and port at a moment: one, ambiguous or none. It never guesses, and never looks a name up.

`match.py` is pure: the caller brings the holdings, the moment and the time of receipt.
"""
