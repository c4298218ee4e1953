"""The WSGI entry that the web process serves."""

import logging
import os

from django.core.wsgi import get_wsgi_application

from .quiet import HideLinks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tipstaff.site.settings")
application = get_wsgi_application()
for _name in ("gunicorn.error", "gunicorn.access"):
    logging.getLogger(_name).addFilter(HideLinks())
