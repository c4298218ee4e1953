"""Which addresses a letter may go to. Pure."""

import re
from collections.abc import Collection

_MAILABLE = re.compile(r"[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]{1,64}@[^\s<>()\[\],;:\\\"@\x00-\x20\x7f]{1,253}")
_ROBOT = re.compile(
    r"""(?x)
      mailer-?daemon | mail-?daemon | daemon | nobody | null | devnull
    | (?:.*[-_.])?(?:no|not|donot|dont|do-not|dont-not)[-_.]?repl(?:y|ies)(?:[-_.].*)?
    | (?:.*[-_.])?(?:noreply|donotreply|unattended|autoreply|auto-reply)(?:[-_.].*)?
    | bounces? | (?:.*[-_.])bounces? | bounces?[-_.].*
    | owner-.* | .*-(?:owner|request|admin-request) | majordomo | listserv | mailman | sympa
    """
)


def may_be_answered(address: str, own: Collection[str]) -> bool:
    """Say whether a person may stand behind this address.

    False for an empty address (a bounce), for what is no address, for mailer-daemons, no-reply and list robots
    (RFC 3834, section 2), and for our own: `own` holds addresses (`abuse@example.net`) and domains (`example.net`).
    """
    address = folded(address)
    if not _MAILABLE.fullmatch(address):
        return False
    local, _, domain = address.partition("@")
    local = local.partition("+")[0] or local
    if _ROBOT.fullmatch(local):
        return False
    ours = {folded(each).removeprefix("@") for each in own}
    return f"{local}@{domain}" not in ours and address not in ours and domain not in ours


def folded(address: str) -> str:
    """Return an address by which two spellings of one mailbox are told to be the same."""
    return address.strip().strip("<>").strip().lower().rstrip(".")


def mailable(address: str) -> str | None:
    """Return the address as SMTP takes it, a name in another script as its ASCII form; None when it takes none."""
    address = address.strip()
    if not _MAILABLE.fullmatch(address):
        return None
    local, _, domain = address.partition("@")
    try:
        address = f"{local}@{domain.encode('idna').decode('ascii')}"
        address.encode("ascii")
    except UnicodeError:
        return None
    return address
