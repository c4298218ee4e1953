"""Customers, their services, and what each of them held when. It refuses that anything is held twice at once.

The refusal is PostgreSQL's own (exclusion constraints in `migrations/0002_holdings.py`), so no writer can go around it.
"""
