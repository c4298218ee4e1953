"""Settings: what is right is taken from file and environment; what is wrong is one sentence that says where."""

import dataclasses
import os
from pathlib import Path
from typing import get_type_hints

import pytest

from tipstaff.config import BadSetting, Config, load
from tipstaff.config.load import _SECTIONS, _TABLES

FILE = "tipstaff.toml"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(text: str | bytes = "", /, **environ: str) -> str:
    """What is said about settings that cannot be used."""
    Path(FILE).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(BadSetting) as why:
        load(Path(FILE), environ)
    said = str(why.value)
    assert "\n" not in said, "one sentence"
    assert said.endswith("."), "one sentence"
    return said


def test_without_a_file_everything_has_a_default() -> None:
    config = load(None, {})
    assert config.path is None
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8080)
    assert config.mail_out.host == "", "nothing is sent before somebody says where to"
    assert config.devices == (), "nothing is touched before somebody names a device"


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../etc/passwd", "/etc/localtime"])
def test_a_zone_of_the_operators_is_one_that_there_is(zone: str) -> None:
    assert "[operator] zone is" in refused(f'[operator]\nzone = "{zone}"\n')
    Path(FILE).write_text('[operator]\nzone = "Europe/Vienna"\n')
    assert load(Path(FILE), {}).operator.zone == "Europe/Vienna"


def test_the_environment_lies_over_the_file() -> None:
    Path(FILE).write_text('[web]\nport = 9000\nhost = "192.0.2.1"\n')
    config = load(Path(FILE), {"TIPSTAFF_WEB_PORT": "9001"})
    assert (config.web.host, config.web.port) == ("192.0.2.1", 9001)


def test_the_environment_names_the_file_too() -> None:
    Path(FILE).write_text("[web]\nport = 9000\n")
    config = load(None, {"TIPSTAFF_CONFIG": FILE})
    assert (config.web.port, config.path) == (9000, Path(FILE))


def test_the_database_and_the_data_folder_have_short_names() -> None:
    config = load(
        None, {"TIPSTAFF_DATA": "/srv/tipstaff", "TIPSTAFF_DATABASE_URL": "postgresql://tipstaff@db/tipstaff"}
    )
    assert config.server.data_folder == Path("/srv/tipstaff")
    assert config.server.database_url == "postgresql://tipstaff@db/tipstaff"


@pytest.mark.parametrize(
    ("text", "meant"), [("true", True), ("1", True), ("on", True), ("no", False), ("0", False), ("", False)]
)
def test_the_environment_says_yes_and_no_in_several_words(text: str, meant: bool) -> None:
    assert load(None, {"TIPSTAFF_MAIL_OUT_STARTTLS": text}).mail_out.starttls is meant


def test_a_list_in_the_environment_is_parted_by_commas() -> None:
    config = load(None, {"TIPSTAFF_MAIL_IN_RECIPIENTS": "postmaster@*, @reports.example.net,"})
    assert config.mail_in.recipients == ("postmaster@*", "@reports.example.net")


def test_an_empty_path_or_database_means_not_set() -> None:
    usual = load(None, {})
    assert load(None, {"TIPSTAFF_DATA": ""}).server.data_folder == usual.server.data_folder != Path().absolute()
    assert load(None, {"TIPSTAFF_DATABASE_URL": ""}).server.database_url is None
    Path(FILE).write_text(
        '[server]\ndata_folder = ""\nflows_folder = ""\ndatabase_url = ""\n'
        '[[feeds]]\nname = "f"\nkind = "urlhaus"\nkey_file = ""\n'
    )
    config = load(Path(FILE), {})
    assert config.server == usual.server
    assert config.feeds[0].key_file is None
    Path(FILE).write_text('[server]\ndata_folder = "/srv/tipstaff"\n')
    assert load(Path(FILE), {"TIPSTAFF_DATA": ""}).server.data_folder == Path("/srv/tipstaff"), "the file's counts"


def test_a_tilde_in_a_path_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/desk")
    Path(FILE).write_text('[server]\ndata_folder = "~/tipstaff"\n')
    assert load(Path(FILE), {}).server.data_folder == Path("/home/desk/tipstaff")


def test_a_path_is_meant_from_where_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = Path("etc") / FILE
    file.write_text(
        '[server]\ndata_folder = "data"\n[mail_out]\npassword_file = "/run/password"\n'
        '[[mailboxes]]\nname = "m"\nkind = "maildir"\npath = "../mail"\n'
    )
    config = load(file, {"TIPSTAFF_SERVER_PROFILES_FOLDER": "profiles"})
    assert config.server.data_folder == tmp_path / "etc" / "data", "the file's own folder"
    assert config.mailboxes[0].path == tmp_path / "etc" / ".." / "mail"
    assert config.mail_out.password_file == Path("/run/password")
    assert config.server.profiles_folder == tmp_path / "profiles", "a variable's is the current folder"
    assert load(file, {"TIPSTAFF_DATA": "here"}).server.data_folder == tmp_path / "here"


def test_other_programs_variables_are_left_alone() -> None:
    load(None, {"TIPSTAFF_LOG_LEVEL": "DEBUG", "TIPSTAFF_TEST_FOLDER": "x", "PATH": "/bin", "WEB_PORT": "none"})


def test_a_device_keeps_its_drivers_own_keys_for_the_driver() -> None:
    Path(FILE).write_text('[[devices]]\nname = "edge1"\ndriver = "memory"\nprotected = ["192.0.2.1/32"]\nfile = "x"\n')
    (device,) = load(Path(FILE), {}).devices
    assert (device.name, device.driver, device.protected) == ("edge1", "memory", ("192.0.2.1/32",))
    assert device.options == {"file": "x"}


def test_an_unknown_section_is_named_with_its_line_and_a_likely_one() -> None:
    assert refused("port = 1\n") == f"{FILE}:1: port stands in no section; write it below [web] or [mail_out]."
    assert refused("[web]\nport = 1\n\n[mailin]\n") == f"{FILE}:4: unknown section [mailin]; did you mean mail_in."
    assert refused("qqq = 1\n") == (
        f"{FILE}:1: unknown section [qqq]; known are api, brands, demo, devices, feeds, files, mail_in, mail_out, "
        "mailboxes, operator, portal, prober, reports_in, server, sightings_in, staff, trust, web."
    )


def test_an_unknown_key_is_named_with_its_line_and_a_likely_one() -> None:
    said = refused('[web]\nhost = "127.0.0.1"\nprot = 8081\n')
    assert said == f"{FILE}:3: [web] prot is not a setting; did you mean port."
    said = refused('[operator]\nqqqq = "x"\n')
    assert said == (f"{FILE}:2: [operator] qqqq is not a setting; known are abuse_address, name, own_domains, zone.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('port = "8080"', "[web] port is '8080', but it takes a whole number."),
        ("port = true", "[web] port is true, but it takes a whole number."),
        ("port = 80.5", "[web] port is 80.5, but it takes a whole number."),
        ("host = 127", "[web] host is 127, but it takes a text in quotes."),
        ("port = 65536", "[web] port is 65536, but a port is a number from 0 to 65535."),
        ("port = -2", "[web] port is -2, but a port is a number from 0 to 65535."),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_line(line: str, said: str) -> None:
    assert refused(f"# first\n[web]\n{line}\n") == f"{FILE}:3: {said}"


def test_other_kinds_of_values_are_told_in_words_too() -> None:
    said = refused("[mail_out]\nstarttls = 1\n")
    assert said == f"{FILE}:2: [mail_out] starttls is 1, but it takes true or false."
    said = refused("[server]\ndata_folder = 5\n")
    assert said == f"{FILE}:2: [server] data_folder is 5, but it takes a path in quotes."
    said = refused('[mail_in]\nrecipients = "a@example.net"\n')
    assert said == (
        f'{FILE}:2: [mail_in] recipients is \'a@example.net\', but it takes a list of texts, for example ["a", "b"].'
    )


def test_a_database_must_be_postgresql() -> None:
    assert refused(TIPSTAFF_DATABASE_URL="mysql://db/tipstaff") == (
        "environment: TIPSTAFF_DATABASE_URL does not begin with postgresql://; write postgresql://user@host/name."
    )


def test_a_file_that_is_no_utf8_is_said_to_be_so() -> None:
    said = refused(b'[operator]\nname = "Caf\xe9"\n')
    assert said == f"{FILE}: the settings file is not UTF-8 text; save it as UTF-8."


def test_a_file_that_is_no_toml_is_said_to_be_so_with_the_line() -> None:
    said = refused("[web]\nport = \n")
    assert said == f"{FILE}:2: the file is not valid TOML: Invalid value (at line 2, column 8)."


def test_a_file_that_cannot_be_read_is_named_with_the_reason() -> None:
    with pytest.raises(BadSetting) as why:
        load(Path("missing.toml"), {})
    assert str(why.value) == (
        "missing.toml: the settings file cannot be read (No such file or directory); name another with --config."
    )
    with pytest.raises(BadSetting) as why:
        load(Path("."), {})
    assert str(why.value) == ".: the settings file cannot be read (Is a directory); name another with --config."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_we_may_not_read_is_named_with_the_reason() -> None:
    Path(FILE).write_text("")
    Path(FILE).chmod(0)
    with pytest.raises(BadSetting, match="Permission denied"):
        load(Path(FILE), {})


def test_a_device_lacks_its_name() -> None:
    said = refused('[[devices]]\nname = "edge1"\ndriver = "memory"\n\n[[devices]]\ndriver = "memory"\n')
    assert said == f"{FILE}:5: a [[devices]] table lacks its name, a text in quotes."
    said = refused('[[devices]]\nname = "edge1"\n')
    assert said == f"{FILE}:1: a [[devices]] table lacks its driver, a text in quotes."


def test_two_devices_have_one_name() -> None:
    device = '[[devices]]\nname = "edge1"\ndriver = "memory"\n'
    assert refused(device + "\n" + device) == (f"{FILE}:5: the device 'edge1' is named twice; give each its own name.")


def test_devices_are_written_as_a_table_by_accident() -> None:
    said = refused('[web]\nport = 1\n[devices]\nname = "edge1"\n')
    assert said == f"{FILE}:3: devices are written as [[devices]], one table a device."


def test_a_protected_list_is_a_list() -> None:
    said = refused('[[devices]]\nname = "edge1"\ndriver = "memory"\nprotected = "192.0.2.1"\n')
    assert said == (
        f'{FILE}:1: [[devices]] protected is \'192.0.2.1\', but it takes a list of texts, for example ["a", "b"].'
    )


def test_an_unknown_variable_is_named_with_a_likely_one() -> None:
    assert refused(TIPSTAFF_WEB_PROT="1") == (
        "environment: TIPSTAFF_WEB_PROT is not a setting; did you mean TIPSTAFF_WEB_PORT."
    )
    assert refused(TIPSTAFF_MAIL_IN_PORT="25") == (
        "environment: TIPSTAFF_MAIL_IN_PORT is not a setting; did you mean TIPSTAFF_MAIL_IN_SMTP_PORT."
    )


def test_a_variable_of_the_wrong_kind_is_named() -> None:
    assert refused(TIPSTAFF_WEB_PORT="http") == (
        "environment: TIPSTAFF_WEB_PORT is 'http', but it takes a whole number."
    )
    assert refused(TIPSTAFF_MAIL_OUT_STARTTLS="maybe") == (
        "environment: TIPSTAFF_MAIL_OUT_STARTTLS is 'maybe', but it takes true or false."
    )


def test_a_mail_password_that_others_can_read_is_refused() -> None:
    password = Path("password").absolute()
    password.write_text("secret")
    password.chmod(0o644)
    assert refused('[mail_out]\npassword_file = "password"\n') == (
        f"{password}: others can read the mail password; run chmod 600 on the file."
    )
    password.chmod(0o600)
    assert load(Path(FILE), {}).mail_out.password_file == password


def test_an_ipv6_address_is_written_into_a_url_in_brackets() -> None:
    assert load(None, {"TIPSTAFF_WEB_HOST": "2001:db8::1"}).public_url_local == "http://[2001:db8::1]:8080"
    assert load(None, {"TIPSTAFF_WEB_HOST": "::"}).public_url_local == "http://[::1]:8080"


def test_letters_come_from_the_abuse_address_unless_said_otherwise() -> None:
    assert load(None, {"TIPSTAFF_OPERATOR_ABUSE_ADDRESS": "abuse@example.net"}).from_address == "abuse@example.net"
    named = load(None, {"TIPSTAFF_MAIL_OUT_FROM_ADDRESS": "desk@example.net"})
    assert named.from_address == "desk@example.net"


def test_the_memory_for_mails_holds_at_least_one_of_the_largest() -> None:
    said = refused("[mail_in]\nmax_mib = 60\nmemory_mib = 50\n")
    assert said == (
        f"{FILE}:3: [mail_in] memory_mib is 50, but it must hold one mail of the largest size ([mail_in] max_mib, 60)."
    )


def test_devices_that_are_no_tables_are_refused_in_a_sentence() -> None:
    assert refused('devices = ["edge1"]\n').endswith("devices are written as [[devices]], one table a device.")


def test_only_the_mailbox_can_be_turned_off_by_its_port() -> None:
    said = refused("[web]\nport = -1\n")
    assert said == f"{FILE}:2: [web] port is -1, but a port is a number from 0 to 65535."


def test_a_misspelt_section_in_the_environment_is_not_ignored() -> None:
    with pytest.raises(BadSetting, match=r"TIPSTAFF_WEBB_PORT is not a setting; did you mean TIPSTAFF_WEB_PORT\?"):
        load(None, {"TIPSTAFF_WEBB_PORT": "8081"})


def test_a_bad_port_in_the_environment_is_blamed_on_the_environment() -> None:
    with pytest.raises(BadSetting, match=r"environment: TIPSTAFF_WEB_PORT is 70000, but a port is a number from 0"):
        load(None, {"TIPSTAFF_WEB_PORT": "70000"})


@pytest.mark.parametrize("name", ["TIPSTAFF_NONSENSE", "TIPSTAFF_CONFIGX", "TIPSTAFF_PORT", "TIPSTAFF_data"])
def test_an_unknown_variable_with_our_prefix_is_not_ignored(name: str) -> None:
    assert refused(**{name: "1"}).startswith(f"environment: {name} is not a setting; unset it")


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_setting() -> None:
    load(None, {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "TIPSTAFF_PORT": "tcp://192.0.2.1:8080"})


@pytest.mark.parametrize("name", ["TIPSTAFF_SUPERVISED", "TIPSTAFF_NO_APT", "TIPSTAFF_PYTHON"])
def test_other_variables_are_not_ours_to_judge(name: str) -> None:
    assert load(None, {name: "x"}).path is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[operator]\nname = " "', "[operator] name is ' ', but letters are signed with it."),
        ('[operator]\nabuse_address = "nobody"', "[operator] abuse_address is 'nobody', but it takes a mail address"),
        ("[web]\nprocesses = 0", "[web] processes is 0, but it takes a number from 1 to 64."),
        ('[web]\npublic_url = "abuse.example.net"', "[web] public_url is 'abuse.example.net', but it takes an address"),
        ('[web]\npublic_url = "https://example.net/abuse?x"', "[web] public_url is"),
        ('[staff]\nsecond_factor_for = ["boss"]', "[staff] second_factor_for: there is no role 'boss'; roles are"),
        ('[staff]\nopenid_roles = ["boss"]', "[staff] openid_roles: there is no role 'boss'"),
        ('[staff]\nopenid_roles = ["=lead"]', "[staff] openid_roles: each is written group=role"),
        ('[staff]\nclosed_groups = ["mail=boss"]', "[staff] closed_groups: there is no role 'boss'"),
        ('[staff]\nclosed_groups = ["mail"]', "[staff] closed_groups: there is no role 'mail'"),
        ('[staff]\nclosed_groups = ["=lead"]', "[staff] closed_groups: each is written group=role"),
        ('[staff]\nopenid_issuer = "login.example.net"', "[staff] openid_issuer is 'login.example.net'"),
        ('[staff]\nopenid_issuer = "http://login.example.net"', "[staff] openid_issuer takes https"),
        ('[staff]\nopenid_issuer = "https://login.example.net"', "[staff] openid_issuer needs openid_client_id"),
        ('[web]\nhost = "nonsense host"', "[web] host is 'nonsense host', but it takes an address of this machine"),
        ("[mail_in]\nlmtp_port = 2525", "[mail_in] lmtp_port is 2525, but [mail_in] smtp_port has that port already"),
        ("[mail_in]\nsmtp_port = 8080", "[mail_in] smtp_port is 8080, but [web] port has that port already"),
        ('[mail_in]\nrecipients = ["abc"]', "[mail_in] recipients is 'abc', but each is a mail address"),
        ('[mail_out]\nfrom_address = "x"', "[mail_out] from_address is 'x', but it takes a mail address."),
        ('[mail_out]\ndkim_selector = "x"', "[mail_out] dkim_selector and dkim_key_file go together"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_with_its_line(text: str, said: str) -> None:
    assert said in refused(text + "\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mail_in]\nmax_mib = -5", "2: [mail_in] max_mib is -5, but it takes a number from 1 to 1024."),
        ("[mail_in]\nmax_mib = 0", "2: [mail_in] max_mib is 0, but it takes a number from 1 to 1024."),
        ("[mail_in]\nmemory_mib = 0", "2: [mail_in] memory_mib is 0, but it takes 1 or more."),
        ("[mail_in]\nmails_a_minute = -1", "2: [mail_in] mails_a_minute is -1, but it takes 0 or more."),
        ("[mail_in]\nsmtp_port = -2", "2: [mail_in] smtp_port is -2, but a port is a number from -1 to 65535."),
        ("[mail_out]\nport = 0", "2: [mail_out] port is 0, but a port is a number from 1 to 65535."),
        ("[mail_out]\ncomplainant_hourly_max = 0", "complainant_hourly_max is 0, but it takes 1 or more."),
        ("[server]\nflows_days_max = -1", "flows_days_max is -1, but it takes a number from 0 to 36500."),
        ("[web]\nprocesses = 65", "2: [web] processes is 65, but it takes a number from 1 to 64."),
        ("[reports_in]\nqueue_max = 10000000000", "but it takes a number from 1 to 1000000000."),
        ("[trust]\nflood_hourly = 0", "2: [trust] flood_hourly is 0, but it takes 1 or more."),
        (
            '[[mailboxes]]\nname = "m"\nkind = "imap"\nevery_seconds = 0',
            "1: [[mailboxes]] every_seconds is 0, but it takes a number from 1 to 86400.",
        ),
        (
            '[[mailboxes]]\nname = "m"\nkind = "imap"\nport = 0',
            "1: [[mailboxes]] port is 0, but a port is a number from 1 to 65535.",
        ),
        (
            '[[feeds]]\nname = "f"\nkind = "urlhaus"\nevery_minutes = -1',
            "1: [[feeds]] every_minutes is -1, but it takes a number from 1 to 10080.",
        ),
        ('[mail_out]\nhost = "mail example.net"', "2: [mail_out] host is 'mail example.net', but it takes the name"),
        ('[mail_out]\nhost = "mail.example.net:587"', "alone; its port is [mail_out] port."),
        ('[[mailboxes]]\nname = "m"\nkind = "imap"\nhost = "a b"', "1: [[mailboxes]] host is 'a b', but it takes"),
        ('[operator]\nname = "Example\\r\\nBcc: x"', "2: [operator] name holds a control character"),
        ('[operator]\nown_domains = ["a\\u0000.example.net"]', "2: [operator] own_domains holds a control character"),
        ('[server]\neditions_folder = "a\\u0000b"', "2: [server] editions_folder holds a control character"),
    ],
)
def test_a_number_or_text_out_of_its_bounds_is_one_sentence_with_its_line(text: str, said: str) -> None:
    assert said in refused(text + "\n")


def test_a_variable_that_is_no_utf8_is_refused() -> None:
    assert refused(TIPSTAFF_OPERATOR_NAME="Caf\udce9") == (
        "environment: TIPSTAFF_OPERATOR_NAME holds a control character or is no UTF-8; "
        "write it as one line of plain text."
    )


def test_every_number_has_its_bounds_and_its_default_is_within() -> None:
    kinds = [*(get_type_hints(Config)[s] for s in _SECTIONS), *_TABLES.values()]
    numbers = {
        f"{kind.__name__}.{field.name}": (field.default, get_type_hints(kind, include_extras=True)[field.name])
        for kind in kinds
        for field in dataclasses.fields(kind)
        if get_type_hints(kind)[field.name] is int
    }
    assert len(numbers) > 10
    for name, (default, hint) in numbers.items():
        (bounds,) = getattr(hint, "__metadata__", [None])
        assert bounds is not None, f"{name} lacks its bounds"
        assert bounds.least <= default <= bounds.most, name


def test_a_mail_server_may_be_an_address_of_either_kind() -> None:
    for host in ("192.0.2.25", "2001:db8::25", "mail.example.net"):
        assert load(None, {"TIPSTAFF_MAIL_OUT_HOST": host}).mail_out.host == host


def test_a_log_level_is_one_of_five() -> None:
    assert "takes one of DEBUG, INFO" in refused(TIPSTAFF_LOG_LEVEL="loud")


def test_what_may_be_sent_to_a_device_is_bounded_by_its_table() -> None:
    table = '[[devices]]\nname = "edge1"\ndriver = "memory"\n{}\n'
    said = refused(table.format("shortest_ipv4 = 0"))
    assert said == f"{FILE}:1: [[devices]] shortest_ipv4 is 0, but it takes a number from 8 to 32."
    assert "takes a whole number" in refused(table.format('new_measures_max = "many"'))
    assert "new_measures_max is 0, but it takes 1 or more" in refused(table.format("new_measures_max = 0"))


def test_a_mass_of_measures_is_let_pass_by_two_people_not_one() -> None:
    table = '[[devices]]\nname = "edge1"\ndriver = "memory"\nlet_pass_by = {}\n'
    said = refused(table.format('["ana", "Ana "]'))
    assert said == f"{FILE}:1: [[devices]] let_pass_by takes the names of two different people."


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("[web]\nport = 80\n[mail_in]\nrecipients = [\n  'a@example.net',\n", 4),
        ('[web]\nport = 80\n\n# A comment\n[operator]\nname = """A\nB\n', 6),
        ("[web\n", 1),
        ("[web]\nport = 80\n[mail_in\n", 3),
        ("[web]\nport = \n", 2),
        ("[web]\nport", 2),
    ],
)
def test_toml_that_is_never_closed_is_found_where_it_begins(broken: str, line: int) -> None:
    assert refused(broken).startswith(f"{FILE}:{line}: the file is not valid TOML: ")


def test_it_is_known_where_each_setting_and_table_stands() -> None:
    Path(FILE).write_text(
        '# Ours\n[web]\nport = 9000\n\n[[devices]]\nname = "a"\ndriver = "memory"\n'
        '[[devices]]\nname = "b"\ndriver = "x"\n'
    )
    config = load(Path(FILE), {"TIPSTAFF_WEB_HOST": "192.0.2.1", "TIPSTAFF_DATA": "/srv/tipstaff"})
    assert config.where("web", "port") == f"{FILE}:3: [web] port"
    assert config.where("web", "host") == "environment: TIPSTAFF_WEB_HOST"
    assert config.where("server", "data_folder") == "environment: TIPSTAFF_DATA"
    assert config.where("mail_in", "max_mib") == "unless set otherwise: [mail_in] max_mib"
    assert config.where_table("devices", "a") == f"{FILE}:5: [[devices]]"
    assert config.where_table("devices", "b") == f"{FILE}:8: [[devices]]"
