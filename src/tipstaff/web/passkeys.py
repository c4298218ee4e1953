"""Passkeys (Web Authentication, level 3): a key pair on a person's own device, for this site's name alone.

A challenge is kept in the session and counts once. What an authenticator says about its maker is not asked for.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from fido2 import cbor
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tipstaff import wiring

from .brands import base_of, shown_for
from .factors import PASSKEY_KIND, PASSKEYS_MAX
from .models import Factor

_ASKED = "passkey"
_PARTS = ("clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject")
_ODD = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, struct.error)
"""What the library raises for what is no answer; RuntimeError holds RecursionError."""
ANSWER_WITHIN = timedelta(minutes=5)
SESSION_SECONDS = 600
"""How long the session of somebody lasts who only looked at the log-in page."""


class NotThatPasskey(ValueError):
    """That passkey does not count here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Whose passkey was shown."""

    who: str
    name: str
    verified: bool
    """The device asked for a finger, a face or a PIN: then it is two factors by itself."""


def passkeys_work() -> bool:
    """Browsers take them for a name over https, and for `localhost`; never for an address."""
    parts = urlsplit(wiring.settings().public_url)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return parts.scheme == "https" or host == "localhost"
    return False


def ask_for_new(request: HttpRequest, who: str, *, name: str, at: datetime) -> dict[str, Any]:
    """What `navigator.credentials.create` takes, for one more passkey of `who`."""
    kept = [AttestedCredentialData(bytes(row.kept)) for row in _rows(who)]
    options, state = _server(request).register_begin(
        PublicKeyCredentialUserEntity(id=who.encode(), name=name, display_name=name),
        credentials=kept,
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    _keep(request, state, at=at)
    return _plain(options.public_key)


def take_new(request: HttpRequest, who: str, answer: Mapping[str, Any], *, name: str, at: datetime) -> None:
    """Keep the passkey that a browser made. Raise NotThatPasskey."""
    state = _asked(request, at=at)
    try:
        made = _server(request).register_complete(state, _in_text(answer))
    except _ODD as why:
        raise NotThatPasskey(f"The browser's answer does not fit: {why}.") from why
    found = made.credential_data
    assert found is not None, "register_complete lets none through"
    if len(_rows(who)) >= PASSKEYS_MAX:
        raise NotThatPasskey(f"There are {PASSKEYS_MAX} already; take one away first.")
    try:
        with transaction.atomic():
            Factor.objects.create(
                who=who, kind=PASSKEY_KIND, name=name or "Passkey", credential=websafe_encode(found.credential_id),
                kept=bytes(found), counter=made.counter, made_at=at, confirmed_at=at,
            )  # fmt: skip
    except IntegrityError as why:
        raise NotThatPasskey("That passkey is here already.") from why


def ask_for_one(request: HttpRequest, who: str | None, *, at: datetime) -> dict[str, Any]:
    """What `navigator.credentials.get` takes: one of `who`, or of whoever it is, which then must be verified."""
    kept = [AttestedCredentialData(bytes(row.kept)) for row in _rows(who)] if who is not None else None
    wanted = UserVerificationRequirement.PREFERRED if who is not None else UserVerificationRequirement.REQUIRED
    options, state = _server(request).authenticate_begin(kept, user_verification=wanted)
    if not request.session.session_key:
        request.session.set_expiry(SESSION_SECONDS)
    _keep(request, state, at=at)
    return _plain(options.public_key)


def take_one(request: HttpRequest, who: str | None, answer: Mapping[str, Any], *, at: datetime) -> Shown:
    """Whose passkey this is, shown right now. `who` is the only one who may show it. Raise NotThatPasskey."""
    state = _asked(request, at=at)
    with transaction.atomic():
        try:
            said = AuthenticationResponse.from_dict(_in_text(answer))
            row = Factor.objects.select_for_update().filter(credential=websafe_encode(said.raw_id)).first()
            if row is None or (who is not None and row.who != who):
                raise NotThatPasskey("That passkey is not known here.")
            _server(request).authenticate_complete(state, [AttestedCredentialData(bytes(row.kept))], said)
        except NotThatPasskey:
            raise
        except _ODD as why:
            raise NotThatPasskey(f"The browser's answer does not fit: {why}.") from why
        told = said.response.authenticator_data
        if who is None and not told.is_user_verified():
            # The question may have been put to somebody whose password was right; alone it would be one factor.
            raise NotThatPasskey("Without a password the device has to verify you: by a finger, a face or a PIN.")
        if (told.counter or row.counter) and told.counter <= row.counter:
            # Level 3, section 6.1.1: a count that does not grow is a copy of the key, at work somewhere else.
            raise NotThatPasskey("That passkey counts backwards: there may be a copy of it. Ask an administrator.")
        row.counter, row.used_at = told.counter, at
        row.save(update_fields=["counter", "used_at"])
    return Shown(who=row.who, name=row.name, verified=told.is_user_verified())


def _in_text(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What counts of an answer, all of it text: of a number the library would make that many octets."""
    parts = {name: answer["response"][name] for name in _PARTS if answer["response"].get(name) is not None}
    if not all(isinstance(each, str) for each in (answer["rawId"], *parts.values())):
        raise ValueError("a part of it is no text")
    if not isinstance(json.loads(websafe_decode(parts["clientDataJSON"]))["challenge"], str):
        raise ValueError("its challenge is no text")
    if "attestationObject" in parts:
        made: Any = cbor.decode(websafe_decode(parts["attestationObject"]))
        if not isinstance(made["authData"], bytes):
            raise ValueError("its data are no octets")
    return {"rawId": answer["rawId"], "response": parts}


def _server(request: HttpRequest) -> Fido2Server:
    """Passkeys belong to the host that they were made at: our own, or a brand's."""
    parts = urlsplit(base_of(request))
    own = f"{parts.scheme}://{parts.netloc}"
    site = PublicKeyCredentialRpEntity(id=parts.hostname or "", name=shown_for(request).name)
    return Fido2Server(site, verify_origin=lambda origin: origin == own)


def _rows(who: str) -> list[Factor]:
    return list(Factor.objects.filter(who=who, kind=PASSKEY_KIND))


def _keep(request: HttpRequest, state: Mapping[str, Any], *, at: datetime) -> None:
    verification = state["user_verification"]
    request.session[_ASKED] = {
        "challenge": state["challenge"], "user_verification": verification and str(verification.value),
        "until": (at + ANSWER_WITHIN).isoformat(),
    }  # fmt: skip


def _asked(request: HttpRequest, *, at: datetime) -> Mapping[str, Any]:
    state = request.session.pop(_ASKED, None)
    if state is None or at >= datetime.fromisoformat(state["until"]):
        raise NotThatPasskey("That took too long; try again.")
    return {"challenge": state["challenge"], "user_verification": state["user_verification"]}


def _plain(options: Any) -> dict[str, Any]:
    """The options as JSON has them: octets in base64url."""
    found: dict[str, Any] = json.loads(json.dumps(dict(options), default=dict))
    return found
