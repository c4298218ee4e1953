"""Between rows and words, for this room's own two doors."""

from ipaddress import ip_address

from tipstaff.words import Disposition, Measured, Moment, Retest, RetestCheck, RetestFound, Sighting

from .models import RetestRow, SightingRow


def measured_of(row: SightingRow) -> Measured:
    """The row as a word."""
    facts = {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in row.facts.items()}
    return Measured(
        key=row.key,
        sighting=Sighting(
            kind=row.kind,
            moment=Moment(row.moment_at, row.moment_error_seconds),
            sensor=row.sensor,
            id=row.name,
            facts=facts,
            type=row.type,
            source=ip_address(row.source) if row.source is not None else None,
            source_port=row.source_port,
            url=row.url,
            domain=row.domain,
            account=row.account,
            protocol=row.protocol,
            target=row.target,
            target_port=row.target_port,
            excerpt=row.excerpt,
        ),
        evidence=row.evidence,
        line=row.line,
        received_at=row.received_at,
        disposition=Disposition(row.disposition) if row.disposition else None,
        reason=row.reason,
        case=row.case,
        done_at=row.done_at,
        done_by=row.done_by,
        done_why=row.done_why,
    )


def retest_of(row: RetestRow) -> Retest:
    """The row as a word."""
    return Retest(
        key=row.key,
        case=row.case,
        customer=row.customer,
        clause=row.clause,
        address=ip_address(row.address),
        protocol=row.protocol,
        port=row.port,
        check=RetestCheck(row.check_name),
        asked_at=row.asked_at,
        tries=row.tries,
        sent_at=row.sent_at,
        found=RetestFound(row.found) if row.found else None,
        said=row.said,
        found_at=row.found_at,
        evidence=row.evidence,
        sighting=row.sighting,
    )
