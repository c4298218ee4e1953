"""Host names in running text: which words are names of the public DNS."""

_COUNTRIES = """
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf
cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg
gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn
kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na
nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh
si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve
vg vi vn vu wf ws ye yt za zm zw
"""
_GENERIC = """
com net org info biz name pro mobi aero asia cat coop edu gov int jobs mil museum post tel travel xxx arpa
academy accountant accountants actor adult agency ai airforce apartments app army art associates attorney auction
audio auto autos baby band bar bargains bayern beauty beer berlin best bet bid bike bingo bio black blog blue boats
bond boo boston boutique broker build builders business buzz cab cafe cam camera camp capital car cards care career
careers cars casa cash casino catering center ceo cfd charity chat cheap christmas church city claims cleaning click
clinic clothing cloud club codes coffee college cologne community company computer condos construction consulting
contact contractors cooking cool country coupons courses credit creditcard cricket cruises cyou dad dance date dating
day deals degree delivery democrat dental dentist design dev diamonds diet digital direct directory discount diy
doctor dog domains download earth eco education email energy engineer engineering enterprises equipment esq estate
events exchange expert exposed express fail faith family fan fans farm fashion feedback finance financial fish fishing
fit fitness flights florist flowers foo football forex forsale forum foundation fun fund furniture futbol fyi gallery
game games garden gay gdn gifts gives glass global gmbh gold golf graphics gratis green gripe group guide guitars guru
hair hamburg haus health healthcare help hiphop hockey holdings holiday homes horse hospital host hosting hot house how
icu immo immobilien inc industries ing ink institute insure international investments irish ist jetzt jewelry kaufen
kim kitchen koeln koln land lat law lawyer lease legal lgbt life lighting limited limo link live living llc loan loans
lol london lotto love ltd ltda luxe luxury madrid maison makeup management market marketing markets mba media melbourne
meme memorial men menu miami moda moe mom money monster mortgage motorcycles mov movie moscow navy network new news
nexus ngo ninja nrw nyc observer one ong onl online ooo organic page paris partners parts party pet phd photo
photography photos pics pictures pink pizza place plumbing plus poker porn press productions prof promo properties
property protection pub qpon quebec quest racing realestate recipes red rehab reise reisen rent rentals repair report
republican rest restaurant review reviews rich rip rocks rodeo rsvp rugby run sale salon sarl sbs school schule science
security select services sex sexy shoes shop shopping show singles site ski skin soccer social software solar solutions
space sport spot spreadsheet srl storage store stream studio study style sucks supplies supply support surf surgery
swiss sydney systems tattoo tax taxi team tech technology tennis theater theatre tickets tienda tips tires today tokyo
tools top tours town toys trade trading training tube tokyo university uno vacations ventures vet viajes video villas
vin vip vision vodka vote voting voyage wales wang watch webcam website wedding wien wiki win wine work works world wtf
xyz yachts yoga zone
example test invalid onion
"""
TOP_LEVEL = frozenset((_COUNTRIES + _GENERIC).split())
"""Top-level domains in common use, and the reserved ones (RFC 2606). A missing one costs a bare name only."""

_SCRIPTS = """
рф рус укр бел срб мкд бг мон қаз москва сайт онлайн орг дети ею ελ ευ հայ გე 中国 中國 香港 台湾
台灣 澳門 新加坡 公司 网络 網絡 网址 网站 中文网 在线 商城 商店 我爱你 集团 政务 公益 한국 닷컴
みんな コム ไทย भारत ভারত বাংলা இந்தியா இலங்கை భారత్ ලංකා امارات السعودية مصر ایران ایران الاردن
المغرب تونس الجزائر قطر عمان سورية فلسطين بھارت پاکستان شبكة موقع קום ישראל
"""
_OTHER_SCRIPTS = frozenset(_SCRIPTS.split())
"""Top-level domains in other scripts: elsewhere a full stop without a blank is only careless writing."""

_SECOND_LEVEL = frozenset(
    [
        "ac",
        "co",
        "com",
        "edu",
        "gob",
        "gouv",
        "gov",
        "govt",
        "mil",
        "ne",
        "net",
        "nom",
        "or",
        "org",
        "sch",
        "go",
        "gen",
        "web",
        "info",
        "biz",
        "name",
        "ltd",
        "plc",
        "me",
        "nhs",
        "police",
    ]
)


def is_host_name(name: str) -> bool:
    """True when `name` could stand in the public DNS: known top-level domain, well-formed labels."""
    labels = name.lower().rstrip(".").split(".")
    if len(labels) < 2 or len(name) > 253:
        return False
    if labels[-1] not in TOP_LEVEL and not labels[-1].startswith("xn--") and labels[-1] not in _OTHER_SCRIPTS:
        return False
    return all(0 < len(x) <= 63 and not x.startswith("-") and not x.endswith("-") for x in labels)


def to_ascii(name: str) -> str:
    """The IDNA form of a host name in lower case; as it came when it has none."""
    name = name.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def registered_part(name: str) -> str:
    """The part that somebody registered, by rule of thumb: `www.shop.example.co.uk` -> `example.co.uk`."""
    labels = name.lower().rstrip(".").split(".")
    if len(labels) <= 2:
        return ".".join(labels)
    if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
