"""How the API says what is wrong: problem+json (RFC 9457), with the sentence that the console would show."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

JSON = "application/problem+json"


class Problem(Exception):  # It is what RFC 9457 calls it.
    """What is wrong, with more than a sentence."""

    def __init__(self, status: int, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def problem(status: int, detail: str, **more: object) -> HttpResponse:
    title = HTTPStatus(status).phrase
    return JsonResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}, status=status,
        content_type=JSON,
    )  # fmt: skip


def tell_problems(api: NinjaAPI) -> None:
    """Answer every refusal of this API so."""

    def refused(request: HttpRequest, why: Exception | type[Exception]) -> HttpResponse:
        if isinstance(why, Problem):
            return problem(why.status, why.detail, **why.more)
        if isinstance(why, ValidationError):
            errors = [
                {"at": [str(part) for part in e.get("loc", ())], "why": str(e.get("msg", ""))} for e in why.errors
            ]
            said = "; ".join(f"{'.'.join(e['at'][1:])}: {e['why']}" for e in errors)
            return problem(422, said, errors=errors)
        if isinstance(why, HttpError):
            return problem(why.status_code, why.message)
        return problem(401, "Log in first.")

    for kind in (Problem, ValidationError, HttpError, AuthenticationError):
        api.add_exception_handler(kind, refused)
