"""What somebody has besides a password: a code app (TOTP, RFC 6238), passkeys, and recovery codes for when all is lost.

`who` is `staff:3`. A code counts once, a recovery code counts once, and a passkey's count never goes back.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import transaction
from django.utils.crypto import salted_hmac

from tipstaff import wiring

from .models import Factor, RecoveryCode

DIGITS, STEP_SECONDS = 6, 30
STEPS_AROUND = 1
"""A code of the step before and after counts as well: clocks of telephones differ, and people type slowly."""
KEY_OCTETS = 20
"""As long as SHA-1's output (RFC 4226, section 4). Apps take no other hash dependably."""
CODES = 10
PASSKEYS_MAX = 10
TOTP_KIND, PASSKEY_KIND = "totp", "passkey"


class NotThatCode(ValueError):
    """That code does not count: it is wrong, too old, or was used already."""


class KeptFactor(ValueError):
    """It cannot be taken away; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFactor:
    """A factor as its owner sees it."""

    id: int
    kind: str
    name: str
    made_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A TOTP key that waits to be confirmed by a first code."""

    key: str
    """Base32, for typing."""
    uri: str
    """For the picture: `otpauth://`."""


def factors_of(who: str) -> list[ShownFactor]:
    """Those that count, oldest first."""
    rows = Factor.objects.filter(who=who, confirmed_at__isnull=False).order_by("id")
    return [
        ShownFactor(id=row.pk, kind=row.kind, name=row.name, made_at=row.made_at, used_at=row.used_at) for row in rows
    ]


def has_factor(who: str) -> bool:
    return Factor.objects.filter(who=who, confirmed_at__isnull=False).exists()


def has_totp(who: str) -> bool:
    return Factor.objects.filter(who=who, kind=TOTP_KIND, confirmed_at__isnull=False).exists()


def begin_totp(who: str, *, account: str, issuer: str, at: datetime) -> Setup:
    """A new key, to be confirmed. One that counts already is not touched: it has to be taken away first."""
    if has_totp(who):
        raise KeptFactor("There is a code app already; take it away first.")
    secret = secrets.token_bytes(KEY_OCTETS)
    Factor.objects.update_or_create(
        who=who, kind=TOTP_KIND,
        defaults={"name": "Code app", "kept": _seal(who, secret), "counter": 0, "made_at": at, "confirmed_at": None},
    )  # fmt: skip
    return Setup(
        key=base64.b32encode(secret).decode().rstrip("="), uri=_totp(secret).get_provisioning_uri(account, issuer)
    )


def confirm_totp(who: str, code: str, *, at: datetime) -> None:
    """The first code shows that the app has the key. Raise NotThatCode."""
    _use_totp(who, code, at=at, confirmed=False)


def use_totp(who: str, code: str, *, at: datetime) -> None:
    """Take a code; raise NotThatCode."""
    _use_totp(who, code, at=at, confirmed=True)


def _use_totp(who: str, code: str, *, at: datetime, confirmed: bool) -> None:
    typed = "".join(code.split())
    if not (typed.isascii() and typed.isdigit() and len(typed) == DIGITS):
        raise NotThatCode
    with transaction.atomic():
        # Two requests with one code wait for each other here, and the second finds it used.
        row = Factor.objects.select_for_update().filter(who=who, kind=TOTP_KIND).first()
        if row is None or (row.confirmed_at is not None) != confirmed:
            raise NotThatCode
        now, totp = int(at.timestamp()) // STEP_SECONDS, _totp(_unseal(who, bytes(row.kept)))
        near = range(now - STEPS_AROUND, now + STEPS_AROUND + 1)
        right = [n for n in near if hmac.compare_digest(totp.generate(n * STEP_SECONDS), typed.encode())]
        step = max(right, default=0)
        if step <= row.counter:
            raise NotThatCode
        row.counter, row.used_at = step, at
        row.confirmed_at = row.confirmed_at or at
        row.save(update_fields=["counter", "used_at", "confirmed_at"])


def make_recovery_codes(who: str) -> list[str]:
    """New ones, which nobody can say again; those before count no more."""
    # 60 bits each: no list of guesses reaches one, and the digest takes our key as well.
    codes = [base64.b32encode(secrets.token_bytes(8)).decode()[:12].lower() for _ in range(CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(who=who).delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(who=who, digest=_digest(who, code)) for code in codes)
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def recovery_codes_left(who: str) -> int:
    return RecoveryCode.objects.filter(who=who, used_at=None).count()


def use_recovery_code(who: str, code: str, *, at: datetime) -> None:
    """Spend a code; raise NotThatCode."""
    typed = "".join(c for c in code.lower() if c.isalnum())
    if not RecoveryCode.objects.filter(who=who, digest=_digest(who, typed), used_at=None).update(used_at=at):
        raise NotThatCode


def use_code(who: str, code: str, *, at: datetime) -> str:
    """Take a code of the app or a recovery code, whichever it is, and say which; raise NotThatCode."""
    if len("".join(code.split())) == DIGITS:
        use_totp(who, code, at=at)
        return "code"
    use_recovery_code(who, code, at=at)
    return "recovery code"


def remove_factor(who: str, id: int, *, needed: bool) -> ShownFactor:
    """Take one away; the last takes the recovery codes along. Raise KeptFactor if it is `needed` and the last."""
    with transaction.atomic():
        rows = list(Factor.objects.select_for_update().filter(who=who, confirmed_at__isnull=False))
        row = next((each for each in rows if each.pk == id), None)
        if row is None:
            raise KeptFactor("It is not there any more.")
        if needed and len(rows) == 1:
            raise KeptFactor("Your roles need one: add another first.")
        shown = ShownFactor(id=id, kind=row.kind, name=row.name, made_at=row.made_at, used_at=row.used_at)
        row.delete()
        if len(rows) == 1:
            RecoveryCode.objects.filter(who=who).delete()
    return shown


def forget_factors(who: str) -> int:
    """Take away all that somebody has, with their recovery codes; how many factors counted."""
    with transaction.atomic():
        count = Factor.objects.filter(who=who, confirmed_at__isnull=False).count()
        Factor.objects.filter(who=who).delete()
        RecoveryCode.objects.filter(who=who).delete()
    return count


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - RFC 6238's default; what apps support


def _seal(who: str, secret: bytes) -> bytes:
    # With its owner inside, a row that is moved to somebody else in the database opens for nobody.
    return wiring.seal_log_in(who.encode() + b"\n" + secret)


def _unseal(who: str, kept: bytes) -> bytes:
    owner, _, secret = wiring.unseal_log_in(kept).partition(b"\n")
    assert owner == who.encode(), "a key that was sealed for somebody else"
    return secret


def _digest(who: str, code: str) -> str:
    return salted_hmac("tipstaff.recovery", f"{who} {code}", algorithm="sha256").hexdigest()
