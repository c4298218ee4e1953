"""Log-in by the operator's own identity provider: OpenID Connect Core 1.0, the code flow with PKCE (RFC 7636).

What the provider says is believed as far as its signature, its audience and our own nonce go. Its keys are fetched at
each log-in, so a key that it took back counts no more.
"""

import base64
import hashlib
import http.client
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
"""Of a key pair all: with a shared secret, whoever can check could sign."""
ANSWER_OCTETS_MAX = 512 * 1024
TIMEOUT_SECONDS = 10
LEEWAY_SECONDS = 120
SCOPE = "openid profile"


class NotSaid(ValueError):
    """The provider did not say who it is; the message says how that shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who is asked, and as whom."""

    issuer: str
    client_id: str
    secret: str
    back: str
    """Our own address to which the browser comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a browser was sent with; kept in its session until it comes back, once."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who it is, by the provider."""

    subject: str
    claims: Mapping[str, Any]

    @property
    def by_two_factors(self) -> bool:
        """RFC 8176: `mfa` among the methods that the provider names."""
        methods = self.claims.get("amr")
        return isinstance(methods, list) and "mfa" in methods


def ask(provider: Provider) -> Asked:
    """Where to send the browser. Raise NotSaid when the provider cannot be asked."""
    about = _about(provider)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = urlencode(
        {"response_type": "code", "client_id": provider.client_id, "redirect_uri": provider.back, "scope": SCOPE,
         "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256"}
    )  # fmt: skip
    to = _endpoint(about, "authorization_endpoint", provider)
    return Asked(url=f"{to}{'&' if '?' in to else '?'}{query}", state=state, nonce=nonce, verifier=verifier)


def hear(provider: Provider, answer: Mapping[str, str], *, state: str, nonce: str, verifier: str, at: datetime) -> Said:
    """Who came back with `answer`. Raise NotSaid."""
    if not secrets.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise NotSaid("This is no answer to what was asked here.")
    # RFC 9207: an answer that another provider gave is none of ours.
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise NotSaid("This is another provider's answer.")
    if "code" not in answer:
        raise NotSaid("The provider let nobody in.")
    about = _about(provider)
    form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": provider.back,
            "code_verifier": verifier}  # fmt: skip
    headers = {}
    if provider.secret:
        # RFC 6749, section 2.3.1: each part is form-encoded before it is put together.
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form["client_id"] = provider.client_id
    tokens = _fetch(_endpoint(about, "token_endpoint", provider), form=form, headers=headers)
    keys = _fetch(_endpoint(about, "jwks_uri", provider))
    try:
        token = jwt.decode(str(tokens.get("id_token", "")), KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        jwt.JWTClaimsRegistry(
            now=int(at.timestamp()), leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": provider.issuer}, aud={"essential": True, "value": provider.client_id},
            exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)  # fmt: skip
    except (JoseError, ValueError, TypeError, KeyError) as why:
        raise NotSaid(f"What the provider said does not hold: {why}.") from why
    claims = token.claims
    if claims.get("azp", provider.client_id) != provider.client_id or not claims["sub"]:
        raise NotSaid("What the provider said is for somebody else.")
    return Said(subject=claims["sub"], claims=claims)


def is_safe(url: str) -> bool:
    """Whether it is https, or http to this machine itself by its address."""
    parts = urlsplit(url)
    try:
        inside = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        inside = False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and inside))


def _about(provider: Provider) -> Mapping[str, Any]:
    """OpenID Connect Discovery 1.0, section 4."""
    about: Mapping[str, Any] = _fetch(provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
    if about.get("issuer") != provider.issuer:
        raise NotSaid("The provider calls itself by another name than the settings do.")
    return about


def _endpoint(about: Mapping[str, Any], name: str, provider: Provider) -> str:
    url = about.get(name)
    # A provider that is reached over https must not send anything on in clear.
    if not isinstance(url, str) or not is_safe(url) or (provider.issuer.startswith("https:") and url[:6] != "https:"):
        raise NotSaid(f"The provider names no {name} that can be used.")
    return url


def _fetch(url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Any:
    """A JSON object; a redirect is an answer that is none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    line = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    body = urlencode(form) if form is not None else None
    sent = {"Accept": "application/json", **(headers or {})}
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        line.request("GET" if form is None else "POST", target, body=body, headers=sent)
        answer = line.getresponse()
        read = answer.read(ANSWER_OCTETS_MAX)
        found = json.loads(read) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError) as why:
        raise NotSaid(f"The provider cannot be asked ({type(why).__name__}).") from why
    finally:
        line.close()
    if not isinstance(found, dict):
        raise NotSaid(f"The provider answered {answer.status} where an object was asked for.")
    return found
