"""What PostgreSQL itself holds: nothing is held twice, in addresses x ports x time.

Each prefix gets its range of addresses as a generated column of whole numbers, and EXCLUDE compares those. Rows come
in one by one and in any order, so what counts is an index that was grown, not one that was built over a full table.
Grown with 50,000 leases in order of address, look-ups a CPU second through the constraint's index were: 6,000 with
`prefix inet_ops`, 1,800 with a range type over inet (it knows no distance between two addresses, so GiST splits pages
blindly), 60,000 with int8range. `bench/holdings.py` measures it again.

An IPv6 address has 128 bits and a bigint 64: the upper half is one dimension and the lower half another. One
constraint for each scope and family, rather than `tier WITH =`, needs no extension (btree_gist) and so no rights
beyond the table's owner. A pool lies inside the operator's own space by its nature: it has its own scope.
"""

from django.db import migrations

SCOPES = {
    "operator": "tier = 'operator' AND kind <> 'pool'",
    "pool": "tier = 'operator' AND kind = 'pool'",
    "reseller": "tier = 'reseller'",
    "customer": "tier = 'customer'",
}

FUNCTIONS = """
-- Bodies are parsed (RETURN), so that a restored dump does not depend on the search path.

-- Eight octets of an address as a number that sorts as they do: bigint is signed, so the first bit is turned over.
CREATE FUNCTION registry_octets(address inet, first integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ('x' || encode(substr(inet_send(address), 5 + first, 8), 'hex'))::bit(64)::bigint
        # (-9223372036854775808);

-- From the first to the last, both included. What reaches the greatest number has no upper bound instead.
CREATE FUNCTION registry_numbers(first bigint, last bigint) RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN int8range(first, nullif(last, 9223372036854775807) + 1);

-- An IPv4 prefix's addresses; the upper halves of an IPv6 prefix's addresses.
CREATE FUNCTION registry_span(prefix cidr) RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE family(prefix)
        WHEN 4 THEN registry_numbers(
            set_masklen(prefix::inet, 32) - '0.0.0.0'::inet,
            set_masklen(broadcast(prefix::inet), 32) - '0.0.0.0'::inet)
        ELSE registry_numbers(registry_octets(prefix::inet, 0), registry_octets(broadcast(prefix::inet), 0))
    END;

-- The lower halves of the addresses of an IPv6 prefix longer than /64; of any other prefix, all.
CREATE FUNCTION registry_lower_span(prefix cidr) RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN family(prefix) = 6 AND masklen(prefix) > 64
        THEN registry_numbers(registry_octets(prefix::inet, 8), registry_octets(broadcast(prefix::inet), 8))
        ELSE '(,)'::int8range
    END;

-- A name at an address, as a number (so that an index over many sites stays quick).
CREATE FUNCTION registry_place(host_name text, address inet) RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN registry_numbers(
        hashtextextended(host_name || ' ' || host(address), 0), hashtextextended(host_name || ' ' || host(address), 0));
"""

HOLDINGS = """
ALTER TABLE registry_holdingrow
    ADD COLUMN span int8range GENERATED ALWAYS AS (registry_span(prefix)) STORED NOT NULL,
    ADD COLUMN lower_span int8range GENERATED ALWAYS AS (registry_lower_span(prefix)) STORED NOT NULL,
    ADD CONSTRAINT registry_only_operator_space_has_no_customer
        CHECK ((tier = 'operator') = (customer_id IS NULL)),
    ADD CONSTRAINT registry_pools_are_the_operators CHECK (kind <> 'pool' OR tier = 'operator'),
    ADD CONSTRAINT registry_ports_are_ports CHECK (ports <@ int4range(0, 65536) AND NOT isempty(ports)),
    ADD CONSTRAINT registry_holding_has_a_beginning
        CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND lower_inc(during) AND NOT upper_inc(during)),
    ADD CONSTRAINT registry_holding_service_is_the_customers
        FOREIGN KEY (service_id, customer_id) REFERENCES registry_servicerow (key, customer_id),
    ADD CONSTRAINT registry_holding_service_has_a_customer CHECK (service_id IS NULL OR customer_id IS NOT NULL);
"""

CONSTRAINTS = "".join(
    f"""
ALTER TABLE registry_holdingrow
    ADD CONSTRAINT registry_held_once_{name}_v4
        EXCLUDE USING gist (span WITH &&, ports WITH &&, during WITH &&)
        WHERE ({scope} AND family(prefix) = 4),
    ADD CONSTRAINT registry_held_once_{name}_v6
        EXCLUDE USING gist (span WITH &&, lower_span WITH &&, ports WITH &&, during WITH &&)
        WHERE ({scope} AND family(prefix) = 6);
"""
    for name, scope in SCOPES.items()
)

INDEXES = """
CREATE INDEX registry_holding_prefix ON registry_holdingrow USING spgist (prefix);
CREATE INDEX registry_holding_begin ON registry_holdingrow (lower(during)) WHERE tier <> 'operator';
"""

SITES = """
ALTER TABLE registry_siterow
    ADD COLUMN place int8range GENERATED ALWAYS AS (registry_place(host_name, address)) STORED NOT NULL,
    ADD CONSTRAINT registry_site_has_a_beginning
        CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND lower_inc(during) AND NOT upper_inc(during)),
    ADD CONSTRAINT registry_site_address_is_single
        CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT registry_site_service_is_the_customers
        FOREIGN KEY (service_id, customer_id) REFERENCES registry_servicerow (key, customer_id),
    ADD CONSTRAINT registry_site_held_once EXCLUDE USING gist (place WITH &&, during WITH &&);
CREATE INDEX registry_site_name ON registry_siterow (host_name);
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTIONS + HOLDINGS + CONSTRAINTS + INDEXES + SITES, migrations.RunSQL.noop),
    ]
