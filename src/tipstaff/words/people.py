"""Who works here, and what each may do."""

import enum


class Role(enum.StrEnum):
    """A member of staff's role. SYSTEM stands for the program's own clock."""

    ANALYST = "analyst"
    """Reads reports, decides cases, writes notes."""
    LEAD = "lead"
    """What an analyst does, and seconds and lifts measures."""
    COUNSEL = "counsel"
    """Decides what the law decides; sees the sealed queue."""
    ENGINEER = "engineer"
    """Sees to devices; proposes, seconds and lifts measures."""
    ADMINISTRATOR = "administrator"
    """Keeps accounts of staff, not cases."""
    SYSTEM = "system"
    """The program's own clock."""
    CUSTOMER = "customer"
    """Answers by the link in a letter."""


STAFF_ROLES = (Role.ANALYST, Role.LEAD, Role.COUNSEL, Role.ENGINEER, Role.ADMINISTRATOR)
"""What a person of the operator's may be; the program and the customers have roles of their own."""
