"""What logs said. Private to this room.

A binding is all numbers but for its subject: instants are microseconds since 1970 (UTC), addresses two signed halves
of 64 bits, so that millions of rows go in by COPY and come out into arrays without being read one by one.
`queries.py` turns them back into words.
"""

from django.db import models


class SourceRow(models.Model):
    """A source of identity, by the name that the operator gave it."""

    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=32)
    error_before = models.BigIntegerField(default=0)
    """How wrong its clock was, in microseconds, by the records before those that `error_lately` is about."""
    error_lately = models.BigIntegerField(default=0)
    error_samples = models.IntegerField(default=0)
    """Of how many records `error_lately` knows how late they arrived (`clocks.py`)."""
    term = models.BigIntegerField(default=0)
    """How long, in microseconds, what it tells of may last without a word: the longest time for which a lease was
    given, those without end left out; of blocks of ports and connections what the operator states, else a day."""
    beside = models.BooleanField(default=False)
    """Whether what it tells of may be had beside another's: a port of a NAT, by connections with several servers."""


class RealmRow(models.Model):
    """A space in which an address means one thing; 0 is the internet."""

    id = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=64, unique=True)


class LoadRow(models.Model):
    """One reading of a file: which stretch of it, its digest, and what it brought."""

    source = models.ForeignKey(SourceRow, models.PROTECT, related_name="loads")
    file = models.TextField()
    head_sha256 = models.CharField(max_length=64)
    """Of the file's first bytes: a file that was rotated has another head, and is read from its beginning."""
    head_size = models.IntegerField()
    first_byte = models.BigIntegerField()
    end_byte = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    records = models.BigIntegerField()
    refused = models.BigIntegerField(default=0)
    clock_error = models.BigIntegerField()
    covers_from = models.BigIntegerField(null=True)
    covers_until = models.BigIntegerField(null=True)
    silence = models.BigIntegerField(null=True)
    """The longest time between two records after each other, in microseconds; null before it was kept."""
    read_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["source", "covers_from"], name="attribution_load_covers"),)


class BindingRow(models.Model):
    """A source's word that an address was given to a subscriber, or to an inside address."""

    source = models.ForeignKey(SourceRow, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    load = models.ForeignKey(LoadRow, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    byte_offset = models.BigIntegerField()
    end_load = models.ForeignKey(LoadRow, models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    end_offset = models.BigIntegerField()
    realm = models.IntegerField()
    version = models.SmallIntegerField()
    length = models.SmallIntegerField()
    hi = models.BigIntegerField()
    lo = models.BigIntegerField()
    port_first = models.IntegerField()
    port_last = models.IntegerField()
    protocol = models.SmallIntegerField()
    possible_from = models.BigIntegerField()
    sure_from = models.BigIntegerField()
    sure_until = models.BigIntegerField()
    possible_until = models.BigIntegerField()
    ending = models.SmallIntegerField()
    strong = models.BooleanField()
    momentary = models.BooleanField()
    kind = models.SmallIntegerField()
    subject = models.TextField()
    nas = models.TextField()
    inside_realm = models.IntegerField()
    inside_version = models.SmallIntegerField()
    inside_hi = models.BigIntegerField()
    inside_lo = models.BigIntegerField()
    # What the records said, as `intervals.joined` left it: records that are read later are joined with that. Null in
    # rows of kinds whose records are never joined, and in those that an earlier version wrote.
    since = models.BigIntegerField(null=True)
    seen = models.BigIntegerField(null=True)
    until = models.BigIntegerField(null=True)
    heard = models.BigIntegerField(null=True)
    final = models.BooleanField(null=True)
    begun = models.BooleanField(null=True)
    session = models.TextField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["realm", "version", "length", "hi", "lo", "port_first", "possible_from"],
                name="attribution_binding_place",
            ),
            # Of the machines that somebody was let in with only (`codes.STATION`).
            models.Index(fields=["subject"], condition=models.Q(version=48), name="attribution_binding_machine"),
            # Of those that had not ended when they were read (`codes.ENDINGS`).
            models.Index(fields=["source"], condition=models.Q(ending=4), name="attribution_binding_open"),
        )


class RestartRow(models.Model):
    """A NAS restarted: all that it had open was over then."""

    source = models.ForeignKey(SourceRow, models.CASCADE, related_name="+")
    nas = models.TextField()
    at = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["source", "nas", "at"], name="attribution_one_restart"),)


class ShapeRow(models.Model):
    """Which prefix lengths there are in a realm, and the widest block of ports: where a look-up has to look."""

    realm = models.IntegerField()
    version = models.SmallIntegerField()
    length = models.SmallIntegerField()
    ports_max = models.IntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["realm", "version", "length"], name="attribution_one_shape"),)


class ScopeRow(models.Model):
    """The neighbourhood (/24, or /40 of IPv6) of addresses that a source has spoken of: where its silence tells."""

    source = models.ForeignKey(SourceRow, models.CASCADE, related_name="+")
    version = models.SmallIntegerField()
    block = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["version", "block", "source"], name="attribution_one_scope"),)


class MissedRow(models.Model):
    """A stretch in which a source wrote something that could not be read."""

    source = models.ForeignKey(SourceRow, models.CASCADE, related_name="+")
    since = models.BigIntegerField()
    until = models.BigIntegerField()
    """`codes.OPEN` until something after it is read."""

    class Meta:
        indexes = (models.Index(fields=["source", "until"], name="attribution_missed_until"),)


class CoverRow(models.Model):
    """A stretch that a source was read of without a gap; those of one source never touch. Made of LoadRow."""

    source = models.ForeignKey(SourceRow, models.CASCADE, related_name="+")
    since = models.BigIntegerField()
    until = models.BigIntegerField()

    class Meta:
        indexes = (models.Index(fields=["source", "since"], name="attribution_cover_since"),)


class FlowPartRow(models.Model):
    """A file of flows that counts, and between what its rows lie. A file that no row names does not count."""

    source = models.ForeignKey(SourceRow, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200, unique=True)
    realm = models.IntegerField()
    inside_realm = models.IntegerField()
    version = models.SmallIntegerField()
    span = models.SmallIntegerField()
    slot = models.BigIntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    since = models.BigIntegerField()
    until = models.BigIntegerField()
    error = models.BigIntegerField()
    """Of the clock, in microseconds: the instants of the rows are to be widened by it."""
    rows = models.BigIntegerField()
    octets = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    written_at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["realm", "version", "until"], name="attribution_flow_part_until"),
            models.Index(fields=["source", "span", "slot"], name="attribution_flow_part_slot"),
        )
