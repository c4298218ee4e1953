"""The WSGI entry that the web process serves."""

import logging
import os

from django.core.wsgi import get_wsgi_application

from .quiet import HideLinks, HideMessages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tipstaff.site.settings")
application = get_wsgi_application()
for _name in ("gunicorn.error", "gunicorn.access"):
    for _hide in (HideLinks(), HideMessages()):
        logging.getLogger(_name).addFilter(_hide)
