"""In-memory twins and the contract kits that every plug-in passes. Shipped, so that a plug-in of yours can pass them.

It starts nothing by itself and touches no device but those that a test makes.
"""
