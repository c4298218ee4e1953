"""A member of staff at the console, over HTTP as a browser would: logs in, opens a case, sends one of its forms."""

import html
import http.cookiejar
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping

_NOTICE = re.compile(r'<p class="notice [^"]*tone-(red|green)" role="status">(.*?)</p>', re.S)


class NotDone(RuntimeError):
    """The console did not do what was asked; the message is its own sentence."""


class Colleague:
    """One person's session."""

    def __init__(self, site: str, *, name: str, password: str) -> None:
        """Log in at `site` (`http://127.0.0.1:8080`)."""
        self._site = site.rstrip("/")
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        form = _form_in(self._get("/login"), action="/login")
        arrived = self._post("/login", {**form, "username": name, "password": password})
        if 'name="password"' in arrived:
            raise NotDone(f"{name} cannot log in at {self._site}")

    def act(self, case: str, action: str, **fields: str) -> str:
        """Send the form of `action` on the page of `case`; what the console answered, or NotDone with its refusal."""
        page = f"/console/cases/{case}"
        form = _form_in(self._get(page), action=f"{page}/{action}")
        said = _NOTICE.search(self._post(f"{page}/{action}", {**form, **fields}))
        if said is None or said[1] == "red":
            raise NotDone(html.unescape(said[2]) if said else f"{action} on {case}: the console said nothing")
        return html.unescape(said[2])

    def _get(self, path: str) -> str:
        with self._browser.open(self._site + path, timeout=30) as answer:
            return str(answer.read().decode())

    def _post(self, path: str, fields: Mapping[str, str]) -> str:
        request = urllib.request.Request(  # noqa: S310 - our own console on loopback
            self._site + path, data=urllib.parse.urlencode(fields).encode(), headers={"Referer": self._site + path}
        )
        with self._browser.open(request, timeout=60) as answer:
            return str(answer.read().decode())


def _form_in(page: str, *, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to `action`; NotDone where the page does not offer it."""
    for form in re.findall(r"<form\b.*?</form>", page, re.S):
        goes_to = re.search(r'action="([^"]*)"', form.split(">", 1)[0])
        if goes_to is None or html.unescape(goes_to[1]).partition("?")[0] == action:
            if goes_to is None and action != "/login":
                continue
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
            return {name: html.unescape(value) for name, value in hidden}
    raise NotDone(f"the page does not offer {action}")
