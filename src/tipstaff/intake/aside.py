"""What is no complaint, however it comes: bounces, automatic answers, receipts, tickets' states, advertisements."""

import re
from collections.abc import Iterator

from tipstaff.words import Reading, ReadingOutcome, ReadingReason

from .mail import Mail, Part
from .resent import is_role
from .shaping import set_aside, unreadable
from .text.kinds import weigh_kinds
from .text.phrases import Phrases

_REPORTED = frozenset({"message/delivery-status", "message/disposition-notification"})
_OWN_LETTERS = 1500
"""An answer says early and briefly what it is; a complaint of that length names somebody."""
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
    r"vacation|on (?:annual )?leave|aus[êe]ncia|odpowiedź automatyczna|autoodpowiedź|automatick[áa] odpove[ďd]|"
    r"automatická odpověď|autosvar|automatisk(?:t)? svar|fr[åa]nv|frav[æe]r|poissa|automaattinen vastaus|"
    r"automatikus v[áa]lasz|"
    r"otomatik (?:yan[ıi]t|cevap)|r[ăa]spuns automat|автоматичн\w{1,4} відповідь|автоматический ответ|"
    r"αυτόματη απάντηση|"
    r"מענה אוטומטי|رد تلقائي|자동 ?(?:회신|응답)|부재중|自動回覆|外出|不在|trả lời tự động|balasan otomatis)",
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
    r"hebben (?:uw|je) (?:bericht|e-?mail|melding) (?:goed )?ontvangen|gracias por (?:contactar|su (?:mensaje|"
    r"correo|reporte))|"
    r"recebemos (?:o |a )?(?:seu|sua)|obrigad[oa] (?:por|pelo) (?:seu |sua )?cont|grazie per averci contattat|"
    r"merci (?:de nous avoir contact|pour votre (?:message|signalement|demande))|votre (?:demande|message|"
    r"signalement) a (?:bien )?été|"
    r"otrzymaliśmy (?:twoj|państwa|pana|pani)|potwierdzamy otrzymanie|dziękujemy za (?:wiadomo|zgłosz|kontakt)|"
    r"(?:obdrželi|přijali) jsme v[áa][šs]|tack för (?:ditt|din|att du)|vi har (?:mottagit|modtaget|"
    r"mottatt) (?:ditt|din|dit|deres|ert|er) |"
    r"olemme vastaanottaneet (?:viesti|yhteydenot|ilmoituk)|talebiniz alınd|mesajınız alınd|"
    r"am primit (?:mesajul|sesizarea)|"
    r"megkaptuk (?:üzenet|level|bejelent)|ми отримали ваш|дякуємо за звернення|благодарим за обращ|"
    r"λάβαμε το (?:μήνυμ|αίτημ)|"
    r"お問い合わせいただき|お問い合わせを受け付け|접수되었습니다|문의해 주셔서|我们已收到您|我們已收到您|"
    r"已收到您的|感谢您的来信|"
    r"đã nhận được (?:yêu cầu|email|thư|phản hồi) của|kami telah menerima (?:pesan|laporan|email|permintaan)|"
    r"terima kasih telah menghubungi|ваш\w{0,2} (?:запрос|обращени\w|письмо) "
    r"(?:был\w? )?(?:принят|получен|зарегистрирован)|обращение [^.\n]{0,20} ?(?:принято|получено|зарегистрировано)|"
    r"(?:la (?:sua|tua|vostra) )?(?:segnalazione|richiesta) è stata (?:ricevuta|presa in carico|registrata)|"
    r"受付番号|受け付けました|工单[^.\n]{0,12}已(?:创建|收到|受理)|工單[^.\n]{0,12}已(?:建立|收到|受理))",
)
_AWAY = Phrases(
    r"i(?:'m| am|.ll be| will be) (?:currently )?(?:out of (?:the )?office|on (?:\w{2,10} )?(?:leave|vacation|"
    r"holidays?))|ich bin (?:[^.\n]{0,40} )?(?:nicht im büro|im urlaub|nicht erreichbar|abwesend)|"
    r"je suis (?:actuellement )?(?:absente?|en congé)|"
    r"(?:estoy|estaré) (?:fuera de (?:la )?oficina|de vacaciones|ausente)|"
    r"(?:estou|estarei) (?:fora do escritório|de férias|ausente)|sono (?:assente|in ferie|fuori (?:ufficio|sede))|"
    r"ik ben (?:[^.\n]{0,30} )?(?:afwezig|niet op kantoor|met vakantie)|jag är (?:[^.\n]{0,30} )?(?:på semester|ledig)|"
    r"jestem (?:[^.\n]{0,30} )?(?:na urlopie|nieobecn\w)|я (?:сейчас )?в отпуске|休暇中|休假",
)
_WAS_READ = Phrases(
    r"was (?:read|opened|displayed) (?:on|at)|wurde (?:am|um) [^\n]{4,40} gelesen|a été (?:lu|ouvert)e? le|"
    r"(?:fue|ha sido) leído el|foi lid[ao] em|è stato letto (?:il|alle)|is gelezen op",
)
_READ = re.compile(
    r"\A\W{0,3}(?:(?:not )?read|gelesen|lue?|leído|lid[ao]|letto|gelezen|läst|lest|læst)\s?:", re.IGNORECASE
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
    r"\A\s{0,3}(?:(?:\[[^\]]{1,60}\]|\([^)]{1,60}\))\s{0,2}){0,3}(?:re|aw|sv|antw|rv|回复|答复|"
    r"odp)\s?(?:\[\d{1,2}\])?:",
    re.IGNORECASE,
)
_QUOTE_LEAD = re.compile(
    r"^[ \t]{0,4}(?:[>|]|-{2,}\s?original(?:e|es)? (?:message|nachricht)|-{2,}\s?(?:urspr|message d'orig|"
    r"mensaje orig|messaggio orig)|on .{5,120} wrote:|am .{5,120} schrieb|le .{5,120} a écrit|el "
    r".{5,120} escribi|il .{5,120} ha scritto|_{10,}|from: .{3,200}$|von: .{3,200}$|de: .{3,200}$|"
    r"da: .{3,200}$|от: .{3,200}$)",
    re.IGNORECASE | re.MULTILINE,
)
_ABUSE_WORDS = Phrases(
    r"abus|attack|angriff|ataque|attaque|attacco|атак|spam|phish|malware|virus|infring|copyright|"
    r"dmca|hack|scan|brute|intrus|fraud|betrug|botnet|ddos|"
    r"compromis|exploit|malicious|blacklist|blocklist|takedown|take down|illegal|unauthori|"
    r"vulnerab|scam|complain|beschwerde|denunci|plainte|жалоб|suspicious|"
    r"unwanted|misus|malici|unerw[uü]nscht|no deseado|indesider|ind[ée]sirable|нежелат|"
    r"trademark|piracy|pirat|login attempt|spoof|threat|violat|unsolicited|open resolver|"
    r"неправомерн|segnalaz|missbrauch|misbruik|nadużyci|report(?:ed|ing)? (?:ip|url|domain)",
)
_NEWS = re.compile(
    r"\b(?:unsubscribe(?! from this group)|newsletter|view (?:this|it) in your browser|abmelden|"
    r"se désinscrire|darse de baja|cancella iscrizione|отписаться)\b",
    re.IGNORECASE,
)
_STATE = Phrases(
    r"(?:statement|answer|response|reply|request|information|feedback)s? (?:has|have) been (?:successfully "
    r")?(?:entered|recorded|submitted|saved|registered|received)|"
    r"(?:ticket|case|request) (?:will|has|was) (?:now )?(?:be |been )?(?:now )?(?:manually )?"
    r"(?:checked|closed|reviewed|updated|merged|resolved|reopened|escalated|solved|completed|marked as)|"
    r"have (?:not|n't) (?:yet )?received (?:the |any |your )?(?:requested |further )?(?:information|response|"
    r"reply|answer|statement)|"
    r"(?:requested|assigned|scheduled|planned) [^.\n]{0,60} (?:has (?:just |now )?been|was) (?:initiated|"
    r"started|completed|carried out|"
    r"performed|scheduled|connected)|as requested,? we (?:have|are)|"
    r"(?:ticket|vorgang|anfrage) wurde (?:geschlossen|aktualisiert|gelöst|bearbeitet)|"
    r"(?:su|el) (?:ticket|caso|solicitud) ha sido (?:cerrad|actualizad|resuelt)|seu (?:chamado|ticket) foi|"
    r"votre ticket a été (?:clôturé|mis à jour|résolu)|il (?:suo )?ticket è stato (?:chiuso|aggiornato)",
)
"""A matter in hand goes on: nothing new is alleged."""
_UNATTENDED = Phrases(
    r"(?:mail ?box|inbox|address|e-?mail account)[^.\n]{0,40} (?:is|are) (?:currently |no longer |not )(?:being )?"
    r"(?:not )?(?:actively )?(?:monitored|in use|active|attended|used|checked|read)|"
    r"(?:postfach|adresse) wird nicht (?:mehr )?(?:gelesen|überwacht|bearbeitet|verwendet)|"
    r"(?:buz[óo]n|direcci[óo]n) no (?:est[áa]|es) (?:supervisad|monitorizad|atendid|revisad)|"
    r"(?:boîte|adresse)[^.\n]{0,30} n'est (?:pas|plus) (?:consultée|surveillée|utilisée)|"
    r"casella[^.\n]{0,30} non è (?:più )?(?:monitorata|presidiata|attiva)|no longer (?:works|employed) (?:at|"
    r"with|for|by)|"
    r"has left the (?:company|organi[sz]ation)|ist nicht mehr (?:im unternehmen|für uns tätig)",
)
_UNREACHED = re.compile(
    r"(?:unable|not able|could ?n[o']t|cannot|failed|impossible) (?:to )?(?:inform|notify|contact|reach|"
    r"deliver).{0,300}"
    r"(?:\b55\d[ -]|recipient|address|mailbox)",
    re.IGNORECASE | re.DOTALL,
)
_SAID_NO = re.compile(r"\bsaid:? ?\(?5\d\d[ -]|\b5\d\d[ -]5\.\d{1,2}\.\d{1,2}\b", re.IGNORECASE)
_ACCOUNT_THREAT = Phrases(
    r"your (?:e-?mail )?(?:account|mail ?box|password|webmail|email|storage|quota|"
    r"domain mail)[^.\n]{0,60} (?:will|has|is|was|have) (?:be |been |"
    r"about to |going to |soon )?(?:be )?(?:suspend|expire|deactivat|disabl|lock|clos|terminat|block|delet|full|"
    r"exceeded|"
    r"limited|log)\w{0,4}|we will suspend your (?:e-?mail|account)|(?:verify|confirm|validate|upgrade|"
    r"re-?activate) your "
    r"(?:e-?mail|account|mail ?box|password|identity)|unusual sign-?in|keep (?:the )?same password|"
    r"messages? (?:are )?(?:pending|held|on hold) "
    r"(?:in|on|for|from)",
)
"""Somebody fishes for our own password: no complaint, only mail like any mailbox gets it."""


_SURVEY = Phrases(
    r"satisfaction survey|(?:rate|review|evaluate) (?:the |our |your |this )?(?:recent )?(?:support|service|experience|"
    r"interaction|conversation)\b|how (?:did we do|would you rate|satisfied (?:are|were) you)|"
    r"kundenzufriedenheit|wie zufrieden (?:sind|waren) sie|bewerten sie (?:unseren?|den) (?:service|support)|"
    r"encuesta de satisfacci|qué tan satisfech|pesquisa de satisfa|como você avalia|enquête de satisfaction|"
    r"évaluez (?:notre|votre)|(?:sondaggio|questionario) di (?:soddisfazione|gradimento)|tevredenheidsonderzoek|"
    r"ankieta satysfakcji|оцените (?:качество|работу)|満足度(?:調査|アンケート)|满意度调查",
)
_ASKS_BACK = Phrases(
    r"awaits? moderator approval|is being held until the list moderator|held for (?:approval|moderation)|"
    r"confirm(?:ation of)? your (?:subscription|registration|e-?mail address)|"
    r"(?:has|have) been (?:un)?subscribed (?:to|from)|"
    r"(?:click|reply|follow)[^.\n]{0,60} (?:to|and) (?:confirm|release|deliver) (?:your|the) (?:message|e-?mail|mail)|"
    r"before your (?:message|e-?mail) (?:can|will|is) (?:be )?delivered|sender (?:verification|authentication) "
    r"(?:is )?required|"
    r"bestätigen sie (?:ihre anmeldung|ihr abonnement|dass sie ein mensch)|wartet auf (?:die )?freigabe|"
    r"confirm(?:e|ez|a|ar) (?:su|votre|sua|la tua) (?:suscripción|inscription|abonnement|inscrição|iscrizione)",
)
"""A list or a filter wants something of whoever wrote to it."""


def not_a_complaint(mail: Mail) -> Reading | None:
    """Why a mail in no exact form is no complaint, or None. Bulk and automatic mail may be one: most reports are."""
    own = _own_words(mail.body)
    return (
        _certified(mail)
        or _bounce(mail, own)
        or _automatic(mail, own)
        or _in_hand(mail, own)
        or _answer(mail, own)
        or _unasked(mail, own)
    )


def _certified(mail: Mail) -> Reading | None:
    """Certified mail (RFC 6109): a receipt says so in its header; what an envelope carries is looked at by itself."""
    receipt = mail.header("x-ricevuta").strip().lower()
    if receipt in _DELIVERED:
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="It is a receipt of certified mail (RFC 6109).")
    if receipt in _UNDELIVERED:
        return set_aside(mail, ReadingReason.BOUNCE, detail="Certified mail was not delivered (RFC 6109).")
    carried = mail.embedded[:1] if mail.header("x-trasporto").strip().lower() == "posta-certificata" else ()
    return not_a_complaint(Mail(carried[0], mail.size, mail.exceeded, limits=mail.limits)) if carried else None


_DELIVERED = frozenset({"accettazione", "presa-in-carico", "avvenuta-consegna"})
_UNDELIVERED = frozenset({"non-accettazione", "errore-consegna", "preavviso-errore-consegna", "rilevazione-virus"})


def _bounce(mail: Mail, own: str) -> Reading | None:
    report_type = _REPORT_TYPE.search(mail.header("content-type"))
    inner = {x.content_type for x in _own_parts(mail.root)} & _REPORTED
    if (report_type and report_type[1].lower() in ("delivery-status", "disposition-notification")) or (
        # A list or a gateway in between wraps a report anew.
        inner and not report_type and not _ABUSE_WORDS.search(own[:3000].lower())
    ):
        return set_aside(mail, ReadingReason.BOUNCE, detail="It is a delivery report of a mail system (RFC 3464).")
    daemon = _DAEMON.match(mail.sender[1]) is not None
    nobody = daemon or mail.header("return-path").strip() == "<>"
    if _FAILURE_SUBJECT.match(mail.subject) and (nobody or _FAILURE_BODY.search(mail.body[:4000])):
        return set_aside(mail, ReadingReason.BOUNCE, detail="It says that a mail was not delivered.")
    if daemon and _FAILURE_BODY.search(mail.body[:2000]) and not _ABUSE_WORDS.search(own[:3000].lower()):
        return set_aside(mail, ReadingReason.BOUNCE, detail="A mail system says that a mail was not delivered.")
    if _SAID_NO.search(own[:_OWN_LETTERS]) and _UNREACHED.search(own[:_OWN_LETTERS]) and not _has_log(own):
        return set_aside(mail, ReadingReason.BOUNCE, detail="It says that somebody could not be reached.")
    return None


def _automatic(mail: Mail, own: str) -> Reading | None:
    auto = mail.header("auto-submitted").lower().lstrip(": ")
    early = own[:_OWN_LETTERS].lower()
    if _AUTO_SUBJECT.match(mail.subject):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="Its subject is an automatic reply's.")
    receipt = _RECEIPT.search(early)
    reply = _is_reply(mail)
    if auto.startswith("auto-replied") and (receipt or not _ABUSE_WORDS.search(own[:2000].lower())):
        return set_aside(
            mail, ReadingReason.AUTO_REPLY, detail="It was sent automatically in answer to a mail (RFC 3834)."
        )
    if (
        mail.header("x-autoreply")
        or mail.header("x-autorespond")
        or (mail.header("x-auto-response-suppress").lower() == "all" and receipt and reply)
    ):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="Its headers are an automatic reply's.")
    brief = len(own) < _OWN_LETTERS and not _names_offender(own)
    new_matter = not reply and _NAMED.search(mail.subject) is not None
    if receipt and brief and not new_matter and (auto.startswith("auto") or reply or _TICKET.search(mail.subject)):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="It confirms that a mail of somebody's was received.")
    if mail.header("x-list-administrivia").strip().lower() == "yes" or _asks_back(mail, own):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="A list or a filter asks for something.")
    was_read = brief and _READ.match(mail.subject) and _WAS_READ.search(early)
    away = brief and _AWAY.search(early) and not _ABUSE_WORDS.search(early)
    if (was_read or away) and not (mail.embedded or _names_stranger(mail, own) or _shows(own)):
        if was_read:
            return set_aside(mail, ReadingReason.BOUNCE, detail="It says that a mail was read.")
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="Somebody says that they are away.")
    if brief and _UNATTENDED.search(early) and not mail.embedded and not _NAMED.search(mail.subject):
        return set_aside(mail, ReadingReason.AUTO_REPLY, detail="It says that nobody reads what is sent there.")
    return None


def _asks_back(mail: Mail, own: str) -> bool:
    """A complaint may quote such words: whoever names a stranger, or abuse, complains."""
    said = f"{mail.subject}\n{own[:_OWN_LETTERS]}".lower()
    return (
        len(own) < _OWN_LETTERS
        and _ASKS_BACK.search(said)
        and not (mail.embedded or _names_stranger(mail, own) or _shows(own) or _ABUSE_WORDS.search(said))
    )


def _in_hand(mail: Mail, own: str) -> Reading | None:
    early = own[:_OWN_LETTERS].lower()
    if _is_reply(mail) and len(own) < _OWN_LETTERS and _SETTLED.search(early) and not _shows(own):
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It answers an earlier letter about a matter in hand.")
    state = len(own) < 2500 and _STATE.search(early[:800])
    asks = (
        len(own) < 2500
        and _SURVEY.search(f"{mail.subject}\n{early}".lower())
        and not (mail.embedded or _ABUSE_WORDS.search(early))
    )
    if (state or asks) and not _names_stranger(mail, own) and not _shows(own):
        detail = "It tells how a matter in hand stands." if state else "It asks how somebody liked a service."
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail=detail)
    return None


def _answer(mail: Mail, own: str) -> Reading | None:
    """An answer to what the mailbox itself wrote: whatever it adds belongs to a matter that a person has in hand."""
    if not _REPLY.match(mail.subject) or mail.embedded:
        return None
    quoted = mail.body[len(own) : len(own) + _QUOTED_LETTERS].lower()
    for value in mail.headers("to")[:5]:
        for shown, address in _MAILBOX.findall(value[:2000].lower()):
            if not is_role(address):
                continue
            names = "|".join(re.escape(x) for x in (address, shown.strip(" \"'")) if len(x) > 4)
            if re.search(rf"{_WROTE[0]}(?:{names}){_WROTE[1]}|{_WROTE[2]}(?:{names})(?!\w)", quoted, re.MULTILINE):
                return unreadable(
                    mail, ReadingReason.IN_HAND, parser="", detail="It answers a letter that this mailbox wrote."
                )
    return None


_QUOTED_LETTERS = 6000
_WROTE = (
    r"(?:^|[\s<\"',:;\[(])",
    r"[>)\]\"']{0,3}\s{0,4}(?:\w{2,12}\s{0,2}){0,2}:\s{0,3}$",
    r"^[>\s]{0,6}(?:from|von|de|da|van|od|fra|från|от|发件人|寄件者|差出人)\s?:[^\n]{0,80}[\s<:(]",
)
"""How mail programs lead in what somebody wrote: the name and a verb, or a line of the quoted header."""
_MAILBOX = re.compile(r"([^<>,;]{0,80}?)<?([\w.+=%#-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6})")


def _unasked(mail: Mail, own: str) -> Reading | None:
    if _is_appointment(mail):
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It is about an appointment (RFC 5546).")
    # A mailing list in between adds the header to every complaint; an advertisement offers its links by the dozen.
    if mail.header("list-unsubscribe") and _NEWS.search(own) and len(mail.links) >= 5 and not _speaks_of_abuse(mail):
        return set_aside(
            mail, ReadingReason.NEWSLETTER, detail="It is an advertisement or a newsletter, and complains of nothing."
        )
    if (
        _addresses_us(mail, own)
        and _ACCOUNT_THREAT.search(f"{mail.subject}\n{own[:_OWN_LETTERS]}".lower())
        and not mail.embedded
        and not _FORWARDED.search(f"{mail.subject}\n{mail.body[:30_000]}")
    ):
        return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It asks for the password of this very mailbox.")
    return None


def _is_appointment(mail: Mail) -> bool:
    """True for a calendar's own part, and neither a word of abuse nor anything else beside it."""
    said = f"{mail.subject}\n{mail.body[:30_000]}".lower()
    return any(x.content_type == "text/calendar" for x in _own_parts(mail.root)) and not (
        mail.embedded
        or any(x.content_type not in ("text/calendar", "application/ics") for x in mail.attachments)
        or _V4_NAMED.search(said)
        or _ABUSE_WORDS.search(said)
    )


def _own_parts(part: Part) -> Iterator[Part]:
    """The leaves of a mail, without those of mails inside it."""
    if not part.is_message:
        yield from (x for child in part.children for x in _own_parts(child)) if part.children else (part,)


def _is_reply(mail: Mail) -> bool:
    return _REPLY.match(mail.subject) is not None or bool(mail.header("in-reply-to"))


def _addresses_us(mail: Mail, own: str) -> bool:
    """True when the mailbox to which it was sent is greeted by its address, as no complaint does."""
    said = f"{mail.subject}\n{own[:500]}".lower()
    return any(x.lower() in said for value in mail.headers("to")[:3] for x in _ADDRESSES.findall(value[:1000])[:3])


_ADDRESSES = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_LOG_LINE = re.compile(r"\d:\d\d:\d\d[^\n]{0,200}(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}|SRC=|sshd\[|\"(?:GET|POST) ")


def _shows(own: str) -> bool:
    """True when logs or mail headers are shown: then something new is alleged."""
    return _has_log(own) or _FORWARDED.search(own) is not None


def _has_log(text: str) -> bool:
    return _LOG_LINE.search(text[:20_000]) is not None


def _names_stranger(mail: Mail, own: str) -> bool:
    """True when the writer names an address or a page that is not their own."""
    domain = mail.sender[1].rpartition("@")[2].lower()
    ends = ".".join(domain.split(".")[-2:])
    return any(not ends or ends not in x.lower() for x in _PLACES.findall(own[:3000]))


_PLACES = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|h(?:tt|xx)ps?://[^\s>\"'<)]{3,200}", re.IGNORECASE)


def _speaks_of_abuse(mail: Mail) -> bool:
    """True when anything hints at a complaint, or an address is named."""
    return _V4_NAMED.search(f"{mail.subject}\n{mail.body[:30_000]}") is not None or _hints_at_abuse(mail)


def _hints_at_abuse(mail: Mail) -> bool:
    """True for words of abuse, a forwarded mail, or files beside the letter."""
    body = mail.body
    text = f"{mail.subject}\n{body[:30_000]}"
    if mail.embedded or mail.attachments or _FORWARDED.search(text) or _ABUSE_WORDS.search(text.lower()):
        return True
    points = weigh_kinds(subject=mail.subject, text=body)
    return max(points.values(), default=0.0) >= _ENOUGH_POINTS


_ENOUGH_POINTS = 4.0
_FORWARDED = re.compile(
    r"^(?:received|return-path|delivered-to|x-[a-z-]{2,30}):|\A(?:fwd?|wg|tr|rv|i|enc)\s?:|"
    r"forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|messaggio "
    r"inoltrato",
    re.IGNORECASE | re.MULTILINE,
)
_TICKET = re.compile(
    r"(?:ticket|case|request)[^a-z]{0,4}(?:#|received|\d)|conferma (?:di )?ricezione|eingangsbestätigung|"
    r"accusé de réception|acuse de recibo|potwierdzenie otrzymania|ontvangstbevestiging|обращение|受付|工单|工單|접수|"
    r"\[[#\w .-]{0,20}#\d{3,12}\]",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|h(?:tt|xx)ps?://", re.IGNORECASE)


def _names_offender(own: str) -> bool:
    return len(_NAMED.findall(own[:3000])) >= 2


def _own_words(body: str) -> str:
    """What the sender wrote above whatever is quoted below it."""
    lead = _QUOTE_LEAD.search(body, 1)
    if lead and len(body[: lead.start()].strip()) > 15:
        return body[: lead.start()]
    return body


def without_offender(mail: Mail, reading: Reading) -> Reading | None:
    """Why a mail that named nobody for certain is no complaint, or None where somebody could complain in it.

    In scripts for which our list of words is short, a person looks.
    """
    own = _own_words(mail.body)
    listed = mail.header("list-unsubscribe") and mail.header("list-id") and _NEWS.search(own)
    more = _V4_NAMED.search(mail.body) or mail.embedded or mail.attachments or len(reading.allegations) > 1
    if listed and not more:
        return set_aside(
            mail, ReadingReason.NEWSLETTER, detail="It is a newsletter, and names nobody.", parser=reading.parser
        )
    begin = own[:_LETTERS_LOOKED_AT]
    if (
        not begin.strip()
        or (not begin.isascii() and len(_OTHER_SCRIPT.findall(begin)) > 0.05 * len(begin))
        or _has_log(mail.body)
        or _hints_at_abuse(mail)
    ):
        return None
    if _V4_NAMED.search(f"{mail.subject}\n{mail.body[:30_000]}"):
        # It names addresses and alleges nothing against them: a person sees it before anybody is accused.
        return unreadable(
            mail, ReadingReason.NO_SOURCE, detail="It names addresses and alleges nothing.", parser=reading.parser
        )
    if reading.outcome is not ReadingOutcome.COMPLAINT and len(mail.leaves) > 1:
        return None
    return set_aside(mail, ReadingReason.NOT_ABUSE, detail="It speaks of no abuse.", parser=reading.parser)


_LETTERS_LOOKED_AT = 6000
_OTHER_SCRIPT = re.compile("[^\x00-\u024f]")
_V4_NAMED = re.compile(r"(?<![\d.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.])")
