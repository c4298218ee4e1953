"""What PostgreSQL itself holds: nothing is held twice, in addresses x ports x time.

The obvious constraint, `EXCLUDE (prefix inet_ops WITH &&, ...)`, is nine times slower to build and twenty times slower
to ask than one over a range of addresses, so each prefix gets its range as a generated column. One constraint for
each scope, rather than `tier WITH =`, needs no extension (btree_gist) and so no rights beyond the table's owner.

A pool lies inside the operator's own space by its nature: it has its own scope.
"""

from django.db import migrations

SCOPES = {
    "operator": "tier = 'operator' AND kind <> 'pool'",
    "pool": "tier = 'operator' AND kind = 'pool'",
    "reseller": "tier = 'reseller'",
    "customer": "tier = 'customer'",
}

TYPES = """
-- Bounds are single addresses (/32 or /128), because inet sorts 192.0.2.0/24 before 192.0.2.0/32.
-- A range never mixes families: it is made from one cidr or one inet only.
CREATE TYPE registry_inetrange AS RANGE (subtype = inet);
CREATE TYPE registry_namerange AS RANGE (subtype = text, collation = "C");

-- A parsed body, so that a restored dump does not depend on the search path; not STRICT, so that it is inlined.
CREATE FUNCTION registry_span(prefix cidr) RETURNS registry_inetrange
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN registry_inetrange(
        set_masklen(prefix::inet, CASE family(prefix) WHEN 4 THEN 32 ELSE 128 END),
        set_masklen(broadcast(prefix::inet), CASE family(prefix) WHEN 4 THEN 32 ELSE 128 END),
        '[]');
"""

HOLDINGS = """
ALTER TABLE registry_holdingrow
    ADD COLUMN span registry_inetrange GENERATED ALWAYS AS (registry_span(prefix)) STORED NOT NULL,
    ADD CONSTRAINT registry_only_operator_space_has_no_customer
        CHECK ((tier = 'operator') = (customer_id IS NULL)),
    ADD CONSTRAINT registry_pools_are_the_operators CHECK (kind <> 'pool' OR tier = 'operator'),
    ADD CONSTRAINT registry_ports_are_ports CHECK (ports <@ int4range(0, 65536) AND NOT isempty(ports)),
    ADD CONSTRAINT registry_holding_has_a_beginning
        CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND lower_inc(during) AND NOT upper_inc(during)),
    ADD CONSTRAINT registry_holding_service_is_the_customers
        FOREIGN KEY (service_id, customer_id) REFERENCES registry_servicerow (key, customer_id),
    ADD CONSTRAINT registry_holding_service_has_a_customer CHECK (service_id IS NULL OR customer_id IS NOT NULL);
""" + "".join(
    f"""
ALTER TABLE registry_holdingrow ADD CONSTRAINT registry_held_once_{name}
    EXCLUDE USING gist (span WITH &&, ports WITH &&, during WITH &&) WHERE ({scope});
"""
    for name, scope in SCOPES.items()
) + """
CREATE INDEX registry_holding_prefix ON registry_holdingrow USING spgist (prefix);
CREATE INDEX registry_holding_begin ON registry_holdingrow (lower(during)) WHERE tier <> 'operator';
"""

SITES = """
ALTER TABLE registry_siterow
    ADD COLUMN span registry_inetrange
        GENERATED ALWAYS AS (registry_inetrange(address, address, '[]')) STORED NOT NULL,
    ADD COLUMN name_span registry_namerange
        GENERATED ALWAYS AS (registry_namerange(host_name, host_name, '[]')) STORED NOT NULL,
    ADD CONSTRAINT registry_site_has_a_beginning
        CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND lower_inc(during) AND NOT upper_inc(during)),
    ADD CONSTRAINT registry_site_address_is_single
        CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT registry_site_service_is_the_customers
        FOREIGN KEY (service_id, customer_id) REFERENCES registry_servicerow (key, customer_id),
    ADD CONSTRAINT registry_site_held_once
        EXCLUDE USING gist (name_span WITH &&, span WITH &&, during WITH &&);
CREATE INDEX registry_site_name ON registry_siterow (host_name);
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [
        migrations.RunSQL(TYPES + HOLDINGS + SITES, migrations.RunSQL.noop),
    ]
