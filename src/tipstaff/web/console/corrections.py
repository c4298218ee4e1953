"""A person's own reading of a report that no reader understood, from a form. Pure."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC
from ipaddress import IPv4Address, IPv6Address, ip_address

from tipstaff.intake.text.names import is_host_name, to_ascii
from tipstaff.procedures.questions import NoQuestion, moment_of, port_of
from tipstaff.words import SEALED_TYPES, XARF_TYPES, Allegation

from ..asked import asked_text


class BadCorrection(ValueError):
    """What was filled in does not name a type and a source."""


ANY_TYPE = "unknown/unknown"
"""What no XARF type names; then a person says which clause was broken."""


ADDRESSES_MAX = 500
"""What a letter may name as sources; more is read by a profile."""


def allegations_from(form: Mapping[str, str], *, clauses: Collection[str]) -> tuple[Allegation, ...]:
    """The allegations as filled in, one an address; raise BadCorrection with a sentence about what first does not fit.

    `clauses` are those of the edition in force that somebody can be judged under.
    """
    cited = form.get("clause", "") or None
    if cited is not None and cited not in clauses:
        raise BadCorrection("That clause does not stand in the edition in force.")
    kind = form.get("type", "") or (ANY_TYPE if cited else "")
    if kind not in (XARF_TYPES - SEALED_TYPES) | ({ANY_TYPE} if cited else set()):
        raise BadCorrection("Choose what kind of complaint it is, or which clause was broken.")
    sources = list(dict.fromkeys(re.split(r"[\s,;]+", asked_text(form, "source", characters_max=25_000))))
    url = asked_text(form, "url", characters_max=2000)
    if sources == [""] and not url:
        raise BadCorrection("Give the address or the URL that is complained about.")
    addresses: list[IPv4Address | IPv6Address | None] = [_address(x) for x in sources if x]
    if len(addresses) > ADDRESSES_MAX:
        raise BadCorrection(f"Give at most {ADDRESSES_MAX} addresses.")
    host = url.lower() if is_host_name(url) else None
    try:
        port = port_of(asked_text(form, "source_port"))
        moment = moment_of(asked_text(form, "at"), usual_seconds=60, zone=UTC)
    except NoQuestion as why:
        raise BadCorrection(f"{str(why)[:1].upper()}{str(why)[1:]}.") from why
    return tuple(
        Allegation(
            type=kind,
            source=address,
            source_port=port or None,
            url=None if host else url or None,
            domain=to_ascii(host) if host else None,
            moment=moment,
            cited=cited,
        )
        for address in addresses or [None]
    )


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError as why:
        raise BadCorrection(f"“{text[:60]}” is not an IP address.") from why
