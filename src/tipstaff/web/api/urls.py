"""Addresses of the API."""

from django.urls import path

from .accountability import router as accountability
from .cases import router as cases
from .clocks import router as clocks
from .desk import router as desk
from .devices import router as devices
from .document import Api
from .figures import router as figures
from .filters import router as filters
from .legal import router as legal
from .looks import router as looks
from .own import router as own
from .people import router as people
from .problems import tell_problems
from .registry import router as registry
from .resources import router as resources
from .webhooks import router as webhooks

api = Api()
tell_problems(api)
api.add_router("/registry", registry)
api.add_router("/figures", figures)
api.add_router("/webhooks", webhooks)
api.add_router("/legal", legal)
api.add_router("/own", own)
api.add_router("", cases)
api.add_router("", resources)
api.add_router("", devices)
api.add_router("", filters)
api.add_router("", accountability)
api.add_router("", clocks)
api.add_router("", desk)
api.add_router("", looks)
api.add_router("", people)

urlpatterns = [path("", api.urls)]
