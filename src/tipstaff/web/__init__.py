"""Pages for staff, customers and everybody: it shows what the doors return and acts only through procedures.

It refuses to decide anything itself, to show a complainant to a customer or a customer to a complainant,
and to load or run anything that came in a complaint.
"""
