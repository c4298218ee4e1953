"""Settings: one TOML file and the environment, checked at start. It refuses what it does not know.

`load()` reads the file named by `--config` or `TIPSTAFF_CONFIG`, lays the environment over it (`TIPSTAFF_WEB_PORT=8081`
is `[web] port`), and returns a frozen `Config`, or raises `BadSetting`, whose message is one sentence with the file and
the line.
"""

from .load import BadSetting, load
from .shape import (
    COLOURS,
    BrandConfig,
    Config,
    Demo,
    DeviceConfig,
    FeedConfig,
    MailboxConfig,
    MailIn,
    MailOut,
    Operator,
    Portal,
    Server,
    Staff,
    Web,
)

__all__ = [
    "COLOURS",
    "BadSetting",
    "BrandConfig",
    "Config",
    "Demo",
    "DeviceConfig",
    "FeedConfig",
    "MailIn",
    "MailOut",
    "MailboxConfig",
    "Operator",
    "Portal",
    "Server",
    "Staff",
    "Web",
    "load",
]
