"""A security key in memory: what a browser and an authenticator would send, signed with a key pair of its own."""

import hashlib
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData


class Device:
    """It answers for `origin`; `verifies` says whether it asks for a finger, `count` how often it was used."""

    def __init__(self, origin: str, *, verifies: bool = True) -> None:
        self.origin, self.verifies, self.count = origin, verifies, 0
        self.id = secrets.token_bytes(32)
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.create`."""
        public = ES256.from_cryptography_key(self._key.public_key())
        own = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        told = self._told(options["rp"]["id"], own, AuthenticatorData.FLAG.AT)
        return self._answer(
            clientDataJSON=self._said("webauthn.create", options),
            attestationObject=websafe_encode(bytes(AttestationObject.create("none", told, {}))),
        )

    def show(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.get`."""
        self.count += 1
        said, told = self._said("webauthn.get", options), self._told(options["rpId"])
        signed = bytes(told) + hashlib.sha256(websafe_decode(said)).digest()
        return self._answer(
            clientDataJSON=said, authenticatorData=websafe_encode(bytes(told)),
            signature=websafe_encode(self._key.sign(signed, ec.ECDSA(SHA256()))), userHandle=None,
        )  # fmt: skip

    def _told(self, site: str, own: bytes = b"", more: int = 0) -> AuthenticatorData:
        flags = AuthenticatorData.FLAG.UP | more | (AuthenticatorData.FLAG.UV if self.verifies else 0)
        return AuthenticatorData.create(
            hashlib.sha256(site.encode()).digest(), AuthenticatorData.FLAG(flags), self.count, own
        )  # fmt: skip

    def _said(self, kind: str, options: dict[str, Any]) -> str:
        return websafe_encode(bytes(CollectedClientData.create(kind, options["challenge"], self.origin)))

    def _answer(self, **response: Any) -> dict[str, Any]:
        id = websafe_encode(self.id)
        return {"id": id, "rawId": id, "type": "public-key", "response": response}
