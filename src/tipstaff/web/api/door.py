"""The door of the API: who asks by token is looked up here, nobody asks too fast, and whatever goes wrong leaves as
problem+json.

It stands around every address below `/api/`, so that also what no operation answers (no such address, a method that is
not taken, a failure of ours) has the one form.
"""

from collections.abc import Callable, Sequence

from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse

from tipstaff import wiring
from tipstaff.procedures.staffing import through

from ..eyes import looking
from ..models import PortalToken
from ..pace import Left, household, use
from ..portal import tokens
from ..tokens import PREFIX, TokenShown, use_token
from .again import once, unless_seen
from .problems import JSON, problem

_SAID = {
    400: "The request could not be understood.",
    403: "This is not for you.",
    404: "There is nothing at this address; /api/openapi.json lists what there is.",
    405: "This address does not take that method.",
    500: "Something went wrong here. It is in the log, and nothing that you sent was half done.",
}


class Door:
    """Middleware; it comes after the one that knows who is logged in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        try:
            limits = _paced("address", household(request.META.get("REMOTE_ADDR") or ""))
            if not _is_over(limits):
                token = _who(request) or _whose(request)
                limits += _paced("token", token.key) if token is not None else []
                if not _is_over(limits):
                    with through(f"{token.name} ({token.key})" if token is not None else ""):
                        own = "own:" if isinstance(token, PortalToken) else ""
                        who = f"{own}{token.key}" if token is not None else request.user.get_username()
                        response = unless_seen(request, _as_problem(self._answer(request, who=who)))
                    if response.status_code == 401:
                        response.headers.setdefault("WWW-Authenticate", 'Bearer realm="tipstaff"')  # RFC 9110, 11.6.1
                    return _with_limits(response, limits)
        except (OperationalError, InterfaceError):
            away = problem(503, "The database does not answer. Nothing was done; try again.")
            away["Retry-After"] = "5"
            return away
        over = next(left for left in limits if left.wait_seconds)
        slower = problem(
            429, f"Too many requests of one {over.policy}: at most {over.quota} a minute. Nothing was done.",
            limit=over.policy,
        )  # fmt: skip
        slower["Retry-After"] = str(over.wait_seconds)
        return _with_limits(slower, limits)

    def _answer(self, request: HttpRequest, *, who: str) -> HttpResponse:
        try:
            with looking(request):
                return once(request, self.get_response, who=who)
        except Http404:
            return problem(404, "There is nothing of that name.")


def _who(request: HttpRequest) -> TokenShown | None:
    """The token that the request shows, if it stands; its owner is who asks then."""
    form, _, text = request.headers.get("Authorization", "").partition(" ")
    if form.lower() != "bearer" or not text.strip().startswith(PREFIX):
        return None
    # Whoever shows a token is nobody else, whatever cookie came along.
    request.user = AnonymousUser()
    found = use_token(text.strip(), at=wiring.now())
    if found is None:
        return None
    request.user, token = found
    request.token = token  # type: ignore[attr-defined]  # read by token_of alone
    return token


def _whose(request: HttpRequest) -> PortalToken | None:
    """The token of a customer's person that the request shows, if it stands; it opens `/api/own` and nothing else."""
    form, _, text = request.headers.get("Authorization", "").partition(" ")
    if form.lower() != "bearer" or not text.strip().startswith(tokens.PREFIX):
        return None
    request.user = AnonymousUser()
    found = tokens.use(text.strip(), at=wiring.now())
    request.own_token = found  # type: ignore[attr-defined]  # read by the operations of `own` alone
    return found


def _paced(policy: str, who: str) -> list[Left]:
    own = wiring.settings().api
    quota = own.token_a_minute if policy == "token" else own.address_a_minute
    return [use(policy, who, quota=quota, at=wiring.now())] if quota else []


def _is_over(limits: Sequence[Left]) -> bool:
    return any(left.wait_seconds for left in limits)


def _with_limits(response: HttpResponse, limits: Sequence[Left]) -> HttpResponse:
    if limits:
        response["RateLimit-Policy"] = ", ".join(left.rule for left in limits)
        response["RateLimit"] = ", ".join(left.stated for left in limits)
    return response


def _as_problem(response: HttpResponse) -> HttpResponse:
    status = response.status_code
    if status < 400 or response.headers.get("Content-Type", "").startswith(JSON):
        return response
    told = problem(status, _SAID.get(status, response.reason_phrase))
    for name in ("Allow", "Retry-After", "WWW-Authenticate", "Vary"):
        if name in response:
            told[name] = response[name]
    return told
