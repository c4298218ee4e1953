r"""Lines about one connection of a NAT, as the vendors write them by syslog: a table of formats, each with its source.

The patterns of a format name what they find: `event`, `protocol` (name or number), `inside`, `outside` and `port` (the
public one), and where the line has them `inside_port`, `there` and `there_port` (unless `there` holds it), which tell
two connections apart; `at`, where the
event's own time stands elsewhere than at the line's head; and for lines that speak of the whole connection `begin`
(when it began) or `lasted` (whole seconds until `at`). A format never guesses: a line of which a pattern finds nothing
is refused. Commas of a line are read as semicolons.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CREATED, DELETED, ACTIVE = "created", "deleted", "active"
_IP = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+"


@dataclass(frozen=True, kw_only=True)
class Format:
    """One vendor's way to say it."""

    name: str
    source: str
    """Where the format is described in public."""
    marker: str
    """What every such line holds, as a pattern that is quick to look for."""
    patterns: tuple[str, ...]
    """Each names some of the fields."""
    events: Mapping[str, str]
    """What `event` says, in lower case; a line with another event is refused."""
    needs: tuple[str, ...] = ("event", "protocol", "inside", "outside", "port")
    others: str = "(?i)icmp"
    """Lines with the marker that are about something else, and no torn ones: a connection without ports, of IPv6, one
    that was not translated."""


FORMATS = (
    Format(
        name="Junos session log (SRX, MX with SPC3)",
        source="juniper.net: Information Provided in Session Log Entries for SRX Series",
        marker="RT_FLOW_SESSION_(CREATE|CLOSE)",
        patterns=(
            r"RT_FLOW_SESSION_(?P<event>CREATE|CLOSE)\b",
            rf' source-address="(?P<inside>{_IP})"',
            r' source-port="(?P<inside_port>\d+)"',
            r' destination-address="(?P<there>[^"]+)"',
            r' destination-port="(?P<there_port>\d+)"',
            rf' nat-source-address="(?P<outside>{_IP})"',
            r' nat-source-port="(?P<port>\d+)"',
            r' protocol-id="(?P<protocol>\d+)"',
        ),
        events={"create": CREATED, "close": DELETED},
        others=r'source-address="[0-9a-fA-F]*:|RT_FLOW_SESSION_[A-Z]+_LS',
    ),
    Format(
        name="Junos MS-MPC session log",
        source="juniper.net: Exporting Syslog Messages to an External Host Without Flow Monitoring Formats",
        marker="MSVCS_LOG_SESSION_",
        patterns=(
            rf"MSVCS_LOG_SESSION_(?P<event>OPEN|CLOSE): .*?(?P<inside>{_IP}):(?P<inside_port>\d+) "
            rf"\[(?P<outside>{_IP}):(?P<port>\d+)\] -> (?P<there>\S+) \((?P<protocol>\w+)\)",
        ),
        events={"open": CREATED, "close": DELETED},
        others=r"(?i)icmp|SESSION_(OPEN|CLOSE): [^\[]*$|SESSION_(OPEN|CLOSE): .*[0-9a-f]::?[0-9a-f]*:",
    ),
    Format(
        name="Cisco ASA translation",
        source="cisco.com: Cisco ASA Series Syslog Messages, 305011 and 305012",
        marker="%(ASA|FTD|PIX)-[0-9]-30501[12]",
        patterns=(
            rf"(?P<event>Built|Teardown) dynamic (?P<protocol>\w+) translation from [^ :]+:(?P<inside>{_IP})/"
            rf"(?P<inside_port>\d+)(?:\([^)]*\))? to [^ :]+:(?P<outside>{_IP})/(?P<port>\d+)",
        ),
        events={"built": CREATED, "teardown": DELETED},
        others=r"(?i)icmp|(Built|Teardown) static|[0-9a-f]+:[0-9a-f]*:[0-9a-f:]+/",
    ),
    Format(
        name="Cisco IOS translation",
        source="blog.ipspace.net: NAT translation logging (ip nat log translations syslog)",
        marker="%IPNAT-6-",
        patterns=(
            rf"%IPNAT-6-(?:NAT_)?(?P<event>CREATED|DELETED): (?:Created |Deleted )?(?P<protocol>\w+) "
            rf"(?P<inside>{_IP}):(?P<inside_port>\d+) (?P<outside>{_IP}):(?P<port>\d+) (?P<there>\S+)",
        ),
        events={"created": CREATED, "deleted": DELETED},
    ),
    Format(
        name="Cisco IOS XR CGN session",
        source="Cisco IOS XR Carrier Grade NAT Configuration Guide for the CRS Router, Syslog Message Format",
        marker=r"\[Sessionbased",
        patterns=(
            rf"\[Sessionbased(?P<event>AD?|WD?) (?P<protocol>\w+) (?P<inside>{_IP}) \S+ \S+ (?P<outside>{_IP}) "
            r"(?P<inside_port>\d+) (?P<port>\d+) \S+(?: (?P<there>[^\]]+))?\]",
        ),
        events={"a": CREATED, "ad": CREATED, "w": DELETED, "wd": DELETED},
    ),
    Format(
        name="A10 Thunder CGN session",
        source="A10 Thunder traffic logging, as described in the open collector cgn-ec",
        marker="NAT-[A-Z]+-[CD]: ",
        patterns=(
            rf"NAT-(?P<protocol>[A-Z]+)-(?P<event>[CD]): (?P<inside>{_IP}):(?P<inside_port>\d+)<-+>(?P<there>[^;]+); ?"
            rf"(?P<outside>{_IP}):(?P<port>\d+)<-+>",
        ),
        events={"c": CREATED, "d": DELETED},
    ),
    Format(
        name="A10 Thunder CGN port, in CEF",
        source="A10 Thunder CEF messages CGN 100 and 101, as described in the open collector cgn-ec",
        marker=r"\|A10\|.*\|CGN 10[01]\|",
        patterns=(
            r"\|CGN (?P<event>10[01])\|",
            r"[| ]proto=(?P<protocol>\w+)",
            rf"[| ]src=(?P<inside>{_IP})",
            r" spt=(?P<inside_port>\d+)",
            rf" sourceTranslatedAddress=(?P<outside>{_IP})",
            r" sourceTranslatedPort=(?P<port>\d+)",
        ),
        events={"100": CREATED, "101": DELETED},
    ),
    Format(
        name="F5 BIG-IP LSN",
        source="F5 BIG-IP CGNAT high-speed logging, as described in the open collector cgn-ec",
        marker="LSN_(ADD|DELETE)",
        patterns=(
            rf"LSN_(?P<event>ADD|DELETE) (?P<inside>{_IP})(?:%\d+)?:(?P<inside_port>\d+) (?P<protocol>\d+) "
            rf"(?P<outside>{_IP})(?:%\d+)?:(?P<port>\d+)(?: (?P<there>.+))?$",
        ),
        events={"add": CREATED, "delete": DELETED},
    ),
    Format(
        name="Fortinet FortiGate traffic log",
        source="docs.fortinet.com: FortiOS Log Message Reference, 13, 15 and 20",
        marker='trandisp="?snat',
        patterns=(
            r'logid="?\d{4}(?P<event>0000(?:13|15|20))\b',
            r"\bproto=(?P<protocol>\d+)",
            rf"\bsrcip=(?P<inside>{_IP})",
            r"\bsrcport=(?P<inside_port>\d+)",
            r"\bdstip=(?P<there>\S+)",
            r"\bdstport=(?P<there_port>\d+)",
            rf"\btransip=(?P<outside>{_IP})",
            r"\btransport=(?P<port>\d+)",
            r'\beventtime="?(?P<at>\d+)',
            r"\bduration=(?P<lasted>\d+)",
        ),
        events={"000015": CREATED, "000013": DELETED, "000020": ACTIVE},
        others=r'logid="?\d{4}0000(?:0\d|1[0-246-9]|2[1-9]|[3-9]\d)|\bproto=(?:1|58)\b|\bsrcip=[0-9a-f]*:',
    ),
    Format(
        name="Palo Alto Networks traffic log",
        source="docs.paloaltonetworks.com: Traffic Log Fields (syslog)",
        marker=";TRAFFIC;(start|end);",
        patterns=(
            r";TRAFFIC;(?P<event>start|end);[^;]*;(?P<at>[^;]*);"
            rf"(?P<inside>{_IP});(?P<there>[^;]*);(?P<outside>{_IP});[^;]*;"
            r'(?:(?:"[^"]*"|[^";]*);){5}(?:[^;]*;){8}(?P<inside_port>\d+);(?P<there_port>[^;]*);(?P<port>\d+);[^;]*;[^;]*;'
            r"(?P<protocol>\w+);(?:[^;]*;){5}(?P<begin>[^;]*);",
        ),
        events={"start": CREATED, "end": DELETED},
        others=r"(?i);icmp|;TRAFFIC;(start|end);[^;]*;[^;]*;[0-9a-fA-F]*:",
    ),
    Format(
        name="Huawei USG session log",
        source="Huawei USG administrator guide: IPv4 session logs in syslog format",
        marker="SECLOG/6/SESSION_(BUILT|TEARDOWN)",
        patterns=(
            r"SECLOG/6/SESSION_(?P<event>BUILT|TEARDOWN)\b",
            r"[;:]Protocol=(?P<protocol>\w+)",
            rf";SourceIP=(?P<inside>{_IP})",
            r"; ?DestinationIP=(?P<there>[^;]+)",
            r";DestinationPort=(?P<there_port>\d+)",
            r";SourcePort=(?P<inside_port>\d+)",
            rf";SourceNatIP=(?P<outside>{_IP})",
            r";SourceNatPort=(?P<port>\d+)",
            r";BeginTime=(?P<begin>\d+)",
            r";EndTime=(?P<at>\d+)",
        ),
        events={"built": CREATED, "teardown": DELETED},
        others=r"(?i)=icmp|;SourceNatIP=;",
    ),
    Format(
        name="H3C session log",
        source="H3C SecPath messages: SESSION_IPV4_FLOW",
        marker="(?i)session/6/SESSION_IPV4_FLOW",
        patterns=(
            r"Protocol\(1001\)=(?P<protocol>\w+);",
            rf"[; ]SrcIPAddr\(1003\)=(?P<inside>{_IP});",
            r";SrcPort\(1004\)=(?P<inside_port>\d+);",
            rf";NatSrcIPAddr\(1005\)=(?P<outside>{_IP});",
            r";NatSrcPort\(1006\)=(?P<port>\d+);",
            r";DstIPAddr\(1007\)=(?P<there>[^;]+);",
            r";DstPort\(1008\)=(?P<there_port>\d+);",
            r";Event\(1048\)=\((?P<event>\d+)\)",
        ),
        events={"8": CREATED, "6": ACTIVE, "1": DELETED, "2": DELETED, "3": DELETED, "4": DELETED, "5": DELETED},
    ),
    Format(
        name="MikroTik RouterOS firewall log",
        source="RouterOS firewall rules with log=yes, as shown in users' posts",
        marker=r" NAT \(",
        patterns=(
            rf"(?P<event>proto) (?P<protocol>\w+)[ ;].*? NAT \((?P<inside>{_IP}):(?P<inside_port>\d+)->"
            rf"(?P<outside>{_IP}):(?P<port>\d+)\)->(?P<there>{_IP}:\d+)",
        ),
        events={"proto": ACTIVE},
    ),
)
