"""Django's own place: settings, addresses and the WSGI entry. It decides nothing."""
