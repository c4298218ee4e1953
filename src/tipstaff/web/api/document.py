"""What `/api/openapi.json` says: the operations as they are declared, and what the door does around each of them."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from .auth import Able, InPerson, nobody
from .own import Own
from .problems import JSON

_INTEGER, _TEXT = {"type": "integer"}, {"type": "string"}
_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What is wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": _INTEGER,
        "detail": {**_TEXT, "description": "The sentence that the console would show."},
        "missing_scope": {**_TEXT, "description": "Of 403: the scope that the token lacks."},
        "scopes": {"type": "array", "items": _TEXT, "description": "Of 403: those that it has."},
        "etag": {**_TEXT, "description": "Of 412 and 428: the ETag as it is now."},
        "limit": {"enum": ["token", "address"], "description": "Of 429: whose limit is used up."},
        "errors": {
            "type": "array",
            "description": "Of 422: each field that is wrong.",
            "items": {
                "type": "object",
                "required": ["at", "why"],
                "properties": {"at": {"type": "array", "items": _TEXT}, "why": _TEXT},
            },
        },
    },
}
_MAY_BE_NONE = {"/shadow"}
"""Where what an address without a key names need not be there."""
_ALWAYS = (400, 401, 403, 422, 429, 503)
_LIMITS = {
    "RateLimit": {"schema": _TEXT, "description": "What is left, and in how many seconds all of it is there again."},
    "RateLimit-Policy": {"schema": _TEXT, "description": "How many requests in how many seconds."},
}
_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "maxLength": 100, "pattern": "^[ -~]*$"},
    "description": "The same request under the same key is done once, and answered as it was then.",
}
_SEEN = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "An ETag; the answer is 304 if it is still that.",
}


class Document(OpenAPISchema):
    """OpenAPI 3.1."""

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        told: dict[str, Any] = super().operation_details(operation)
        guard = operation.auth_callbacks[0] if operation.auth_callbacks else None
        method = operation.methods[0]
        if isinstance(guard, Able):
            told["security"] = [{"token": [guard.scope(method)]}, {"session": []}]
            told["description"] = (
                f"{told.get('description', '')}\n\nTakes the scope `{guard.scope(method)}` and a role that may "
                f"{guard.ability.value}."
            ).strip()
        elif isinstance(guard, InPerson):
            told["security"] = [{"session": []}]
            told["description"] = (
                f"{told.get('description', '')}\n\nTakes somebody who is logged in, no token, and a role that may "
                f"{guard.ability.value}."
            ).strip()
        elif isinstance(guard, Own):
            told["security"] = [{"customer": [guard.scope(method)]}]
            told["description"] = (
                f"{told.get('description', '')}\n\nTakes a customer's token with the scope `{guard.scope(method)}`."
            ).strip()
        else:
            told["security"] = []
        statuses = {*_ALWAYS}
        named = {parameter["name"] for parameter in told["parameters"]}
        if "{" in operation.path or operation.path in _MAY_BE_NONE or guard is None:
            statuses |= {404}
        if method == "GET":
            told["parameters"].append(_SEEN)
            told["responses"][304] = {"description": "It is as you have seen it."}
        else:
            statuses |= {404, 409, 413}
            if guard is not None:
                told["parameters"].append(_KEY)
        if "If-Match" in named:
            statuses |= {412, 428}
        for status, response in told["responses"].items():
            if 200 <= int(status) < 300:
                response["headers"] = dict(_LIMITS)
                if "content" in response:
                    response["headers"]["ETag"] = {"schema": _TEXT, "description": "Of exactly this answer."}
                if "cursor" in named:
                    link = 'The next page: `<address>; rel="next"`; not there on the last.'
                    response["headers"]["Link"] = {"schema": _TEXT, "description": link}
        for status in sorted(statuses):
            told["responses"][status] = {
                "description": HTTPStatus(status).phrase,
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
        for parameter in told["parameters"]:
            if parameter["in"] == "path" and parameter["schema"].get("type") == "string":
                # An empty part names another address, and a slash ends it (RFC 3986, 3.3).
                parameter["schema"] = {**parameter["schema"], "minLength": 1, "pattern": "^[^/]+$"}
        return told

    def get_components(self) -> dict[str, Any]:
        components: dict[str, Any] = super().get_components()
        components["schemas"] = {**components.get("schemas", {}), "Problem": _PROBLEM}
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "A token of the console's page Tokens."},
            "customer": {
                "type": "http", "scheme": "bearer", "description": "A token that somebody made at /account/tokens.",
            },
            "session": {
                "type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME,
                "description": "A person who is logged in; what changes something takes the header X-CSRFToken too.",
            },
        }  # fmt: skip
        return components


class Api(NinjaAPI):
    """The API, with this document. Its documentation page would need inline scripts, so there is none."""

    def __init__(self) -> None:
        super().__init__(
            title="Tipstaff", version="1", docs_url=None, urls_namespace="api", auth=nobody,
            description="What the console shows and does, under the same permissions.",
            servers=[{"url": settings.TIPSTAFF.public_url}],
        )  # fmt: skip

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:  # fmt: skip
        return Document(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """As short as the function's name: clients make their methods of it, and a test sees that each is used once."""
        return operation.view_func.__name__
