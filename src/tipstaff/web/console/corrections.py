"""A person's own reading of a report that no reader understood, from a form. Pure."""

from collections.abc import Collection, Mapping
from datetime import UTC
from ipaddress import ip_address

from tipstaff.procedures.questions import NoQuestion, moment_of, port_of
from tipstaff.words import SEALED_TYPES, XARF_TYPES, Allegation

from ..asked import asked_text


class BadCorrection(ValueError):
    """What was filled in does not name a type and a source."""


ANY_TYPE = "unknown/unknown"
"""What no XARF type names; then a person says which clause was broken."""


def allegation_from(form: Mapping[str, str], *, clauses: Collection[str]) -> Allegation:
    """The allegation as filled in; raise BadCorrection with a sentence about the first thing that does not fit.

    `clauses` are those of the edition in force that somebody can be judged under.
    """
    cited = form.get("clause", "") or None
    if cited is not None and cited not in clauses:
        raise BadCorrection("That clause does not stand in the edition in force.")
    kind = form.get("type", "") or (ANY_TYPE if cited else "")
    if kind not in (XARF_TYPES - SEALED_TYPES) | ({ANY_TYPE} if cited else set()):
        raise BadCorrection("Choose what kind of complaint it is, or which clause was broken.")
    source, url = asked_text(form, "source"), asked_text(form, "url", characters_max=2000)
    if not source and not url:
        raise BadCorrection("Give the address or the URL that is complained about.")
    try:
        address = ip_address(source) if source else None
    except ValueError as why:
        raise BadCorrection(f"“{source[:60]}” is not an IP address.") from why
    try:
        port = port_of(asked_text(form, "source_port"))
        moment = moment_of(asked_text(form, "at"), usual_seconds=60, zone=UTC)
    except NoQuestion as why:
        raise BadCorrection(f"{str(why)[:1].upper()}{str(why)[1:]}.") from why
    return Allegation(
        type=kind,
        source=address,
        source_port=port or None,
        url=url or None,
        moment=moment,
        cited=cited,
    )
