"""What a mail says: set aside with its reason, read by the first parser that knows its form, or left to a person."""

import re
from collections.abc import Iterable
from dataclasses import replace

from tipstaff.words import Reading, ReadingOutcome, ReadingReason

from .mail import Limits, Mail, is_bomb, read_mail
from .protocol import Parser
from .shaping import sealed, set_aside, unreadable
from .sieve import speaks_of_child_abuse
from .text.kinds import weigh_kinds
from .text.phrases import Phrases

OWN_HEADER = "x-tipstaff-letter"
"""Every letter of ours carries it, so that one that comes back is known."""

_EXACT = 100
"""Parsers below this priority read an exact form; what they understand is a complaint, however automatic it looks."""


def read(
    raw: bytes,
    *,
    parsers: Iterable[Parser],
    own_addresses: frozenset[str] = frozenset(),
    passwords: tuple[str, ...] = (),
) -> Reading:
    """Read one mail. Whatever the bytes are, a Reading comes back, with a reason. `passwords` open locked archives."""
    mail = read_mail(raw, limits=Limits(archive_passwords=passwords) if passwords else None)
    ours = own_addresses_in_lower_case(own_addresses)
    if speaks_of_child_abuse(mail):
        return sealed(mail)
    if _is_empty(mail):
        return set_aside(mail, ReadingReason.EMPTY, detail="It holds no words.")
    if _is_own_letter(mail, ours):
        return set_aside(mail, ReadingReason.OWN_LETTER, detail="It is a letter of ours that came back.")
    ordered = sorted(parsers, key=lambda x: (x.priority, x.name))
    unusable: Reading | None = None
    for parser in (x for x in ordered if x.priority < _EXACT):
        reading = _ask(parser, mail)
        if reading is None:
            continue
        if reading.outcome is not ReadingOutcome.UNREADABLE or reading.reason is ReadingReason.HOSTILE_FORM:
            return _with_bounds(mail, reading)
        unusable = unusable or reading
    if unusable is None:
        aside = _not_a_complaint(mail)
        if aside is not None:
            return aside
    for parser in (x for x in ordered if x.priority >= _EXACT):
        reading = _ask(parser, mail)
        if reading is None:
            continue
        if unusable is None:
            return _with_bounds(mail, _doubted(mail, reading))
        if reading.outcome is ReadingOutcome.COMPLAINT:
            # The form is broken but the letter around it can be read: a person sees both.
            return replace(reading, reason=ReadingReason.UNSURE, detail=unusable.detail)
    if unusable is not None:
        return _with_bounds(mail, unusable)
    return unreadable(mail, ReadingReason.NO_SOURCE, parser="", detail="No parser found a source in it.")


def own_addresses_in_lower_case(addresses: Iterable[str]) -> frozenset[str]:
    """Mail addresses as they are compared here."""
    return frozenset(x.strip().lower() for x in addresses)


def _ask(parser: Parser, mail: Mail) -> Reading | None:
    """A parser is asked as a door to another's code: when it breaks on a mail, a person gets the mail."""
    try:
        return parser.read(mail)
    except Exception as why:  # noqa: BLE001 - the mail is kept, the person is told, and nothing is lost.
        return unreadable(
            mail,
            ReadingReason.BROKEN_FORM,
            parser=parser.name,
            detail=f"The parser {parser.name} stopped at this mail ({type(why).__name__}).",
        )


def _with_bounds(mail: Mail, reading: Reading) -> Reading:
    """When a bound was met and nothing exact was found, the bound is the reason.

    Of a letter nested too deep, what stands above the bound is only its carriers' words: it is not taken for the whole.
    """
    if "depth" in mail.exceeded and reading.parser == "freetext":
        return unreadable(
            mail, ReadingReason.TOO_DEEP, parser=reading.parser, detail="Not all of it was unfolded: too deep."
        )
    if reading.outcome is not ReadingOutcome.UNREADABLE or reading.reason is not ReadingReason.NO_SOURCE:
        return reading
    if "size" in mail.exceeded or any(
        leaf.content[:4] == b"PK\x03\x04" and is_bomb(leaf.content, limits=mail.limits) for leaf in mail.leaves
    ):
        return unreadable(
            mail, ReadingReason.TOO_LARGE, parser=reading.parser, detail="Not all of it was unfolded: too large."
        )
    if not mail.exceeded:
        return reading
    return unreadable(
        mail, ReadingReason.TOO_DEEP, parser=reading.parser, detail="Not all of it was unfolded: too deep."
    )


def _is_empty(mail: Mail) -> bool:
    return not mail.subject and not any(x.content.strip() for x in mail.leaves)


def _is_own_letter(mail: Mail, ours: frozenset[str]) -> bool:
    return bool(mail.header(OWN_HEADER)) or mail.sender[1].lower() in ours


_REPORT_TYPE = re.compile(r"report-type\s{0,4}=\s{0,4}\"?([\w-]{1,40})", re.IGNORECASE)
_FAILURE_SUBJECT = re.compile(
    r"\A(?:\W{0,3}(?:re|fwd?|aw|wg): ?){0,3}\W{0,4}(?:undeliver(?:ed|able)|delivery (?:status "
    r"notification|failure|has failed|failed|incomplete)|"
    r"returned mail|mail delivery (?:failed|failure|system|subsystem)|failure notice|mail system "
    r"error|message not delivered|"
    r"unzustellbar|nicht zugestellt|non remis|échec de|no se puede entregar|mancata consegna|"
    r"your message (?:could not|couldn.t|wasn.t|was not) be? ?(?:delivered|sent)|delayed mail|"
    r"warning: message .{0,40} delayed|gelesen:|read:|not read:|"
    r"message (?:delivery|undeliverable|blocked)|warning: could not send|avviso di mancata)",
    re.IGNORECASE,
)
_FAILURE_BODY = re.compile(
    r"(?:could ?n(?:o|')t be delivered|couldn.t be delivered|delivery to the following "
    r"recipients? (?:has )?failed|address rejected|recipient rejected|"
    r"does not exist|mailbox (?:is )?(?:full|unavailable)|user unknown|permanent (?:fatal )?error|"
    r"message you sent to|550[ -]5\.\d\.\d|554[ -]5\.\d\.\d)",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"\A(?:mailer-daemon|postmaster|mail-daemon|mdaemon|bounces?)(?:@|\Z)", re.IGNORECASE)
_AUTO_SUBJECT = re.compile(
    r"\A(?:\W{0,3}(?:re|fwd?|aw|wg|sv|antw): ?){0,2}\W{0,4}(?:auto(?:matic(?:ally)?|mated|"
    r"matische)?[ -]?(?:re(?:ply|sponse)|antwort|generated (?:reply|response))|automatische "
    r"antwort|out of (?:the )?office|"
    r"abwesenheits\w{0,12}|abwesend|r[ée]ponse automatique|absence du bureau|respuesta "
    r"autom[aá]tica|fuera de (?:la )?oficina|risposta automatica|"
    r"resposta autom[aá]tica|automatisch antwoord|afwezig|autosvar|автоответ|自动回复|自動返信|自動応答|"
    r"vacation|on (?:annual )?leave)",
    re.IGNORECASE,
)
_RECEIPT = Phrases(
    r"(?:(?:we|i) (?:have |hereby )?(?:received|acknowledge|confirm(?:ed)? (?:the "
    r")?receipt)[^.\n]{0,60}(?:your )?(?:request|e-?mail|message|report|inquiry|enquiry|complaint|"
    r"ticket|query)|"
    r"(?:this is an )?auto(?:matic(?:ally)?|mated)[ -](?:reply|response|acknowledge\w{0,4}|"
    r"confirmation)|automatically generated in response|"
    r"(?:a )?(?:new )?(?:support |trouble |help ?desk )?(?:ticket|case|request)[^.\n]{0,40}(?:has "
    r"been|was) (?:created|opened|logged|received|registered|assigned|generated)|"
    r"your (?:ticket|request|case|message|email|e-mail|report|complaint)[^.\n]{0,40} (?:has been|"
    r"was) (?:received|created|assigned|forwarded|registered|opened|logged)|"
    r"your ticket has been assigned an id|thank you for (?:contacting|your (?:report|email|e-mail|"
    r"message|request|notification|notice|complaint|submission|inquiry|patience))|thanks for "
    r"(?:contacting|your report|reaching out)|"
    r"(?:eingangsbest[äa]tigung|wir haben ihre (?:nachricht|anfrage|e-?mail|meldung) erhalten|"
    r"vielen dank f[üu]r ihre (?:nachricht|anfrage|e-?mail|meldung))|"
    r"nous avons bien re[çc]u|hemos recibido su|recebemos (?:a )?su[ao]|abbiamo ricevuto|we "
    r"hebben uw (?:bericht|e-?mail|melding) ontvangen|ваш\w{0,2} (?:запрос|обращени\w|письмо) "
    r"(?:был\w? )?(?:принят|получен|зарегистрирован))",
)
_SETTLED = Phrases(
    r"(?:(?:account|service|server|site|website|content|url|domain|client|customer|"
    r"ip)s?[^.\n]{0,40} (?:has|have|was|were) (?:been |now been |already been )?(?:suspended|"
    r"terminated|removed|disabled|cleaned|resolved|blocked|null-?routed|taken down|contacted|"
    r"notified|shut ?down)|"
    r"(?:issue|matter|problem|case|ticket|incident) (?:has been|is|was|seems)(?: now)? "
    r"(?:resolved|closed|fixed|solved)|(?:we|i) (?:have |'ve )?(?:contacted|notified|forwarded "
    r"(?:this|your|it)|suspended|opened a case|resolved|removed|taken (?:the )?(?:necessary |"
    r"appropriate )?action)|"
    r"no longer (?:online|available|accessible|resolves|active|hosted)|will (?:be )?(?:investigat|"
    r"review|look into|respond|get back)\w{0,3})",
)
_REPLY = re.compile(
    r"\A\s{0,3}(?:(?:\[[^\]]{1,60}\]|\([^)]{1,60}\))\s{0,2}){0,3}(?:re|aw|sv|antw|rv|回复|答复|odp)\s?(?:\[\d{1,2}\])?:",
    re.IGNORECASE,
)
_QUOTE_LEAD = re.compile(
    r"^(?:\s?[>|]|-{2,}\s?original(?:e|es)? (?:message|nachricht)|-{2,}\s?(?:urspr|message d'orig|"
    r"mensaje orig|messaggio orig)|on .{5,120} wrote:|am .{5,120} schrieb|le .{5,120} a écrit|el "
    r".{5,120} escribi|il .{5,120} ha scritto|_{10,}|from: .{3,200}$|von: .{3,200}$|de: .{3,200}$|"
    r"da: .{3,200}$|от: .{3,200}$)",
    re.IGNORECASE | re.MULTILINE,
)
_ABUSE_WORDS = re.compile(
    r"abus|attack|angriff|ataque|attaque|attacco|атак|spam|phish|malware|virus|infring|copyright|"
    r"dmca|hack|scan|brute|intrus|fraud|betrug|botnet|ddos|"
    r"compromis|exploit|malicious|blacklist|blocklist|takedown|take down|illegal|unauthori|"
    r"vulnerab|scam|complain|beschwerde|denunci|plainte|жалоб|suspicious|"
    r"trademark|piracy|pirat|login attempt|spoof|threat|violat|unsolicited|open resolver|"
    r"неправомерн|segnalaz|missbrauch|misbruik|nadużyci|report(?:ed|ing)? (?:ip|url|domain)",
    re.IGNORECASE,
)
_NEWS = re.compile(
    r"\b(?:unsubscribe(?! from this group)|newsletter|view (?:this|it) in your browser|abmelden|"
    r"se désinscrire|darse de baja|cancella iscrizione|отписаться)\b",
    re.IGNORECASE,
)


def _not_a_complaint(mail: Mail) -> Reading | None:
    """Why a mail in no exact form is no complaint, or None. Bulk and automatic mail may be one: most reports are."""
    content_type = mail.header("content-type")
    report_type = _REPORT_TYPE.search(content_type)
    body = mail.body
    own = _own_words(body)
    auto = mail.header("auto-submitted").lower().lstrip(": ")
    if report_type and report_type[1].lower() in ("delivery-status", "disposition-notification"):
        return set_aside(mail, ReadingReason.BOUNCE, detail="It is a delivery report of a mail system (RFC 3464).")
    daemon = _DAEMON.match(mail.sender[1]) is not None or mail.header("return-path").strip() == "<>"
    if _FAILURE_SUBJECT.match(mail.subject) and (daemon or _FAILURE_BODY.search(body[:4000])):
        return set_aside(mail, ReadingReason.BOUNCE, detail="It says that a mail was not delivered.")
    if daemon and _FAILURE_BODY.search(body[:2000]) and not _ABUSE_WORDS.search(own[:3000]):
        return set_aside(mail, ReadingReason.BOUNCE, detail="A mail system says that a mail was not delivered.")
    if _AUTO_SUBJECT.match(mail.subject):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="Its subject is an automatic reply's.")
    receipt = _RECEIPT.search(own[:1500].lower())
    reply = _REPLY.match(mail.subject) is not None or bool(mail.header("in-reply-to"))
    if auto.startswith("auto-replied") and (receipt or not _ABUSE_WORDS.search(own[:2000])):
        return set_aside(
            mail, ReadingReason.AUTO_REPLY, detail="It was sent automatically in answer to a mail (RFC 3834)."
        )
    if (
        mail.header("x-autoreply")
        or mail.header("x-autorespond")
        or (mail.header("x-auto-response-suppress").lower() == "all" and receipt and reply)
    ):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="Its headers are an automatic reply's.")
    if (
        receipt
        and len(own) < 1500
        and (auto.startswith("auto") or reply or _TICKET.search(mail.subject))
        and not _names_offender(own)
    ):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="It confirms that a mail of somebody's was received.")
    if reply and _SETTLED.search(own[:1500].lower()) and len(own) < 1500:
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It answers an earlier letter about a matter in hand.")
    # A mailing list in between adds the header to every complaint; an advertisement offers its links by the dozen.
    if mail.header("list-unsubscribe") and _NEWS.search(own) and len(mail.links) >= 5 and not _speaks_of_abuse(mail):
        return set_aside(
            mail, ReadingReason.NEWSLETTER, detail="It is an advertisement or a newsletter, and complains of nothing."
        )
    return None


def _speaks_of_abuse(mail: Mail) -> bool:
    """True when anything hints at a complaint: words, logs, a forwarded mail, or files beside the letter."""
    body = mail.body
    text = f"{mail.subject}\n{body[:30_000]}"
    if (
        mail.embedded
        or mail.attachments
        or _V4_NAMED.search(text)
        or _FORWARDED.search(text)
        or _ABUSE_WORDS.search(text)
    ):
        return True
    points = weigh_kinds(subject=mail.subject, text=body)
    return max(points.values(), default=0.0) >= 6


_FORWARDED = re.compile(
    r"^(?:received|return-path|delivered-to|x-[a-z-]{2,30}):|\A(?:fwd?|wg|tr|rv|i|enc)\s?:|"
    r"forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|messaggio "
    r"inoltrato",
    re.IGNORECASE | re.MULTILINE,
)
_TICKET = re.compile(r"(?:ticket|case|request)[^a-z]{0,4}(?:#|received|\d)|\[[#\w .-]{0,20}#\d{3,12}\]", re.IGNORECASE)
_NAMED = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|h(?:tt|xx)ps?://", re.IGNORECASE)


def _names_offender(own: str) -> bool:
    return len(_NAMED.findall(own[:3000])) >= 2


def _own_words(body: str) -> str:
    """What the sender wrote above whatever is quoted below it."""
    lead = _QUOTE_LEAD.search(body, 1)
    if lead and len(body[: lead.start()].strip()) > 15:
        return body[: lead.start()]
    return body


def _doubted(mail: Mail, reading: Reading) -> Reading:
    """A guess at a mail that speaks of no abuse is no complaint, unless somebody complains by forwarding."""
    if reading.reason is ReadingReason.NO_SOURCE and not mail.exceeded:
        return _aside_without_source(mail, reading)
    if reading.outcome is not ReadingOutcome.COMPLAINT or reading.reason is ReadingReason.UNDERSTOOD:
        return reading
    words = f"{mail.subject}\n{mail.body[:20_000]}"
    forwarded = bool(mail.embedded) or "received:" in words.lower() or bool(mail.attachments)
    if not forwarded and not _V4_NAMED.search(words) and not _speaks_of_abuse(mail):
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It speaks of no abuse.", parser=reading.parser)
    return reading


def _aside_without_source(mail: Mail, reading: Reading) -> Reading:
    """Nobody is named. A newsletter, or a letter in Latin script without one word of abuse, is no complaint.

    In other scripts our list of words is short, so a person looks.
    """
    own = _own_words(mail.body)
    if mail.header("list-unsubscribe") and mail.header("list-id") and _NEWS.search(own):
        return set_aside(
            mail, ReadingReason.NEWSLETTER, detail="It is a newsletter, and names nobody.", parser=reading.parser
        )
    latin = sum(c < "\u0250" for c in own)
    if own.strip() and latin >= 0.95 * len(own) and not _speaks_of_abuse(mail) and len(mail.leaves) == 1:
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It speaks of no abuse.", parser=reading.parser)
    return reading


_V4_NAMED = re.compile(r"(?<![\d.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])")
