"""Who works here, and what each may do."""

import enum


class Role(enum.StrEnum):
    """A member of staff's role. SYSTEM stands for the program's own clock."""

    ANALYST = "analyst"
    LEAD = "lead"
    COUNSEL = "counsel"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"
    CUSTOMER = "customer"
