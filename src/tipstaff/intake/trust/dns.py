"""Asks the one resolver that the operator names, for nothing but what a mail's signature and policy need."""

from typing import Any

import dns.exception
import dns.resolver

from .found import LookupFailed, Resolver

_SECONDS = 5.0


def resolver_at(address: str, *, port: int = 53) -> Resolver:
    """A resolver for `mail_auth` that asks the server at `address`."""
    asked = dns.resolver.Resolver(configure=False)
    asked.nameservers = [address]
    asked.port = port
    asked.lifetime = _SECONDS

    def resolve(name: str, form: str) -> list[Any]:
        try:
            answer = asked.resolve(f"{name.rstrip('.')}.", form, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, ValueError, UnicodeError) as why:
            raise LookupFailed(f"{name} {form}: {type(why).__name__}") from why
        found: list[Any] = []
        for record in answer.rrset or ():
            if form == "TXT":
                found.append(b"".join(record.strings))
            elif form in ("A", "AAAA"):
                found.append(str(record.address))
            elif form == "MX":
                found.append((int(record.preference), record.exchange.to_text(omit_final_dot=True)))
            elif form == "PTR":
                found.append(record.target.to_text(omit_final_dot=True))
        return found

    return resolve
