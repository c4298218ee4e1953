"""A client of the API for programs in Python; it needs the standard library alone, and refuses to hide a refusal.

    from tipstaff.client import Client

    desk = Client("https://abuse.example.net", token="...")
    for case in desk.each(desk.list_cases, state="waiting_person"):
        print(case["key"], case["next"])

Each operation of the API is a method of its name (`operations.py` is made from the API's own document).
"""

from .calling import Refused as Refused
from .calling import Reply as Reply
from .calling import Unreachable as Unreachable
from .operations import Client as Client
