"""What NetBox says, as rows for the registry. It is asked through `pynetbox`; this module only understands answers.

A tenant is a customer, under the key that its custom field `tipstaff_customer` gives, else its slug. Prefixes,
addresses, AS numbers, VLANs and circuits that have a tenant are that customer's; aggregates are the operator's own
space. NetBox knows no times: `created` is an object's and stays as it is when its tenant changes. So a customer holds a
thing from when it was first seen as theirs; only the operator's own space is so from `created` on.
Fields as NetBox' own REST documentation names them.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_interface, ip_network
from typing import Any, Protocol

from tipstaff.words import Customer, Holding, HoldingKind, RefusedRow, Resource, ResourceKind, Tier

from .columns import Value
from .imports import Line, Sheet
from .names import NotInItsForm, plain_name, plain_scope


class Endpoint(Protocol):
    """One kind of object in NetBox; `pynetbox.core.endpoint.Endpoint` is one."""

    def all(self) -> Iterable[Any]:
        """Every object."""


class NetBox(Protocol):
    """`pynetbox.api(...)`, as far as it is used here."""

    ipam: Any
    tenancy: Any
    circuits: Any


IGNORED = frozenset({"deprecated", "decommissioned", "offline", "planned"})


def read_netbox(
    netbox: NetBox, *, source_name: str, at: datetime, is_reseller: Callable[[str], bool] = lambda _: False
) -> Sheet:
    """Everything that NetBox knows of who holds what.

    What lies inside a prefix of the same customer says nothing new and is left out. A reseller's prefix goes into the
    resellers' tier, so that its own customers' may lie inside.
    """
    lines: list[Line] = []
    refused: list[RefusedRow] = []
    unread: list[str] = []
    keys: dict[int, str] = {}
    number = 0
    for kind, records in _endpoints(netbox):
        for record in records:
            number += 1
            told = dict(record)
            try:
                if kind == "tenant":
                    keys[int(told["id"])] = _tenant_key(told)
                values = list(_values(kind, told, keys, source_name, at, is_reseller))
            except (ValueError, KeyError, TypeError, NotInItsForm) as why:
                name = f"{kind} {told.get('id', '?')}"
                unread.append(f"{source_name} {name}")
                refused.append(RefusedRow(line=number, why=f"NetBox' {name} can't be read: {str(why)[:200]}."))
                continue
            lines += [Line(number=number, value=value, undated=_undated(value, told)) for value in values]
    wide = list(_widest(lines))
    kept = {id(line) for line in wide}
    return Sheet(
        source=source_name, kind="netbox", lines=tuple(wide), refused=tuple(refused),
        said_by_wider=tuple(line.value for line in lines if id(line) not in kept), unread=frozenset(unread),
    )  # fmt: skip


def _widest(lines: list[Line]) -> Iterator[Line]:
    held = {
        (line.value.tier, line.value.kind, line.value.customer, line.value.prefix)
        for line in lines
        if isinstance(line.value, Holding)
    }
    for line in lines:
        value = line.value
        if isinstance(value, Holding) and any(
            (value.tier, value.kind, value.customer, value.prefix.supernet(new_prefix=length)) in held
            for length in range(value.prefix.prefixlen)
        ):
            continue
        yield line


def _endpoints(netbox: NetBox) -> Iterator[tuple[str, Iterable[Any]]]:
    yield "tenant", netbox.tenancy.tenants.all()
    yield "aggregate", netbox.ipam.aggregates.all()
    yield "prefix", netbox.ipam.prefixes.all()
    yield "address", netbox.ipam.ip_addresses.all()
    yield "asn", netbox.ipam.asns.all()
    yield "vlan", netbox.ipam.vlans.all()
    yield "circuit", netbox.circuits.circuits.all()


def _values(
    kind: str,
    told: dict[str, Any],
    keys: dict[int, str],
    source_name: str,
    at: datetime,
    is_reseller: Callable[[str], bool],
) -> Iterator[Value]:
    source = f"{source_name} {kind} {told['id']}"
    if kind == "tenant":
        yield Customer(key=keys[int(told["id"])], name=str(told["name"])[:500], representative=None)
        return
    if _word(told.get("status")) in IGNORED:
        return
    tenant = told.get("tenant")
    if kind == "aggregate" or (kind == "prefix" and not tenant and told.get("is_pool")):
        space = HoldingKind.STATIC if kind == "aggregate" else HoldingKind.POOL
        prefix = ip_network(told["prefix"])
        yield Holding(key=0, tier=Tier.OPERATOR, kind=space, prefix=prefix, held_from=_since(told, at), source=source)
        return
    if not tenant:
        return
    customer = keys[int(dict(tenant)["id"])]
    if kind in ("prefix", "address"):
        network = ip_network(told["prefix"]) if kind == "prefix" else ip_network(ip_interface(told["address"]).ip)
        tier = Tier.RESELLER if kind == "prefix" and is_reseller(customer) else Tier.CUSTOMER
        yield Holding(
            key=0, tier=tier, kind=HoldingKind.STATIC, prefix=network, held_from=at, customer=customer,
            source=source,
        )  # fmt: skip
        return
    if kind == "asn":
        thing, name, scope = ResourceKind.ASN, str(told["asn"]), ""
    elif kind == "vlan":
        thing, name = ResourceKind.VLAN, str(told["vid"])
        scope = _slug(told.get("site")) or _slug(told.get("group"))
    else:
        thing, name, scope = ResourceKind.CIRCUIT, str(told["cid"]), _slug(told.get("provider"))
    yield Resource(
        kind=thing, name=plain_name(thing, name), scope=plain_scope(thing, scope), customer=customer, held_from=at,
        source=source,
    )  # fmt: skip


def _undated(value: Value, told: dict[str, Any]) -> bool:
    own = isinstance(value, Holding) and value.tier is Tier.OPERATOR
    return not (own and told.get("created"))


def _tenant_key(tenant: dict[str, Any]) -> str:
    fields = tenant.get("custom_fields") or {}
    key = str(fields.get("tipstaff_customer") or tenant.get("slug") or "")
    if not 0 < len(key) <= 64:
        raise ValueError("it has neither a slug nor the custom field tipstaff_customer")
    return key


def _since(told: dict[str, Any], at: datetime) -> datetime:
    try:
        since = datetime.fromisoformat(str(told.get("created") or "").replace("Z", "+00:00"))
    except ValueError:
        return at
    return since.replace(tzinfo=UTC) if since.tzinfo is None else since.astimezone(UTC)


def _word(status: Any) -> str:
    return str(dict(status).get("value", "")) if status and not isinstance(status, str) else str(status or "")


def _slug(related: Any) -> str:
    return str(dict(related).get("slug") or dict(related).get("name") or "") if related else ""
