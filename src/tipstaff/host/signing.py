"""Signatures of Standard Webhooks 1.0: whoever shares the secret can tell that a message is ours, and fresh."""

import base64
import binascii
import hmac
import secrets
from datetime import datetime

PREFIX = "whsec_"


class NoSecret(ValueError):
    """The secret is none of Standard Webhooks: whsec_ and base64."""


def make_secret() -> str:
    """A new one, of 256 bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(body: bytes, *, id: str, at: datetime, secret: str) -> dict[str, str]:
    """The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` (`v1`: HMAC-SHA256). Raise NoSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as why:
        raise NoSecret(NoSecret.__doc__) from why
    stamp = str(int(at.timestamp()))
    proof = hmac.digest(key, f"{id}.{stamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(proof).decode()}"
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature}
