"""Each kind of wrong YAML: where it is, what was found, what was expected, and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.settings.loading import load
from ari_app.settings.problem import SettingsError, Severity

OFFICE = (Path(__file__).parent / "brokerage.yaml").read_text(encoding="utf-8")
"""A file of its own: the tests name its lines and columns."""


def wrong(folder: Path, text: str | bytes, **others: str) -> list[str]:
    """What ``ringback check`` says of ``text``, without the folder's name. others: further files, by name."""
    for name, content in others.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    path = folder / "ringback.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load(path)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def changed(*pairs: tuple[str, str]) -> str:
    text = OFFICE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # keys
        ("data: var", "dta: var", ["2:1: error: dta: unknown key (did you mean 'data'?)"]),
        (
            "system_id: ringback",
            "sytem_id: ringback",
            [
                "46:3: error: gateways.sms.system_id: expected, and not there",
                "46:50: error: gateways.sms.sytem_id: unknown key (did you mean 'system_id'?)",
            ],
        ),
        ("version: 1\n", "", ["1:1: error: version: expected, and not there"]),
        ("data: var\n", "data: var\ndata: other\n", ["3:1: error: data: stands already at ringback.yaml:2:1"]),
        (
            "{name: Desk A, ",
            "{name: Desk A, name: Desk B, ",
            ["10:23: error: agents.ana.name: stands already at ringback.yaml:10:9"],
        ),
        # types
        ("version: 1", "version: one", ["1:10: error: version: found 'one', expected 1"]),
        ("port: 2775", "port: lots", ["46:44: error: gateways.sms.port: found 'lots', expected a whole number"]),
        ("port: 2775", "port: 70000", ["46:44: error: gateways.sms.port: found 70000, expected at most 65535"]),
        ("port: 2775", "port: ~", ["46:44: error: gateways.sms.port: found nothing, expected a whole number"]),
        (
            "{host: 127.0.0.1, match",
            "{qualify: perhaps, host: 127.0.0.1, match",
            ["51:29: error: trunks.carrier.qualify: found 'perhaps', expected true or false"],
        ),
        ('blocked: ["13055550666"]', "blocked: 5", ["21:10: error: blocked: found 5, expected a list"]),
        (
            '{name: Desk B, email: bob@harbor.example, phone: "102", mobile: "+13055550181"}',
            "Desk B",
            ["11:8: error: agents.bob: found 'Desk B', expected a mapping"],
        ),
        (
            "ana@harbor.example",
            "ana at harbor",
            ["10:30: error: agents.ana.email: found 'ana at harbor', expected an e-mail address"],
        ),
        (
            "+13055550199",
            "3055550199",
            ["3:41: error: brokerage.phone: expected a number such as +13055550123, found '3055550199'"],
        ),
        (
            "America/New_York",
            "America/Miami",
            [
                (
                    "3:81: error: brokerage.time_zone: found 'America/Miami'; expected an IANA time zone such as "
                    "America/New_York"
                )
            ],
        ),
        (
            "127.0.0.1, match: [127.0.0.1]",
            "127.0.0.1, match: [everywhere]",
            [
                (
                    "51:45: error: trunks.carrier.match.0: found 'everywhere', expected an address or a network such as "
                    "203.0.113.0/24"
                )
            ],
        ),
        # times
        (
            "wait: 10m unless acknowledged",
            "wait: 10 minutes",
            [
                (
                    "29:13: error: plans.standard.4.wait: found '10 minutes', expected a duration such as 18s, 10m, 1.5h or "
                    "200ms"
                )
            ],
        ),
        (
            "wait: 10m unless acknowledged",
            "wait: 3651d unless acknowledged",
            ["29:13: error: plans.standard.4.wait: found '3651d', expected at most 3650d"],
        ),
        (
            "quiet_hours:",
            "texts: {window: 9999999d, expires: 1e309}\nquiet_hours:",
            [
                "44:17: error: texts.window: found '9999999d', expected at most 3650d",
                "44:36: error: texts.expires: found inf, expected at most 3650d",
            ],
        ),
        (
            "quiet_hours:",
            f"texts: {{window: {'9' * 5000}}}\nquiet_hours:",
            [
                f"44:17: error: texts.window: found '{'9' * 5000}', expected a duration such as 18s, 10m, 1.5h or 200ms",
            ],
        ),
        (
            "port: 2775",
            "port: 2775, per_second: 1e309",
            ["46:62: error: gateways.sms.per_second: found inf, expected a finite number"],
        ),
        (
            "9:00-18:00",
            "9-18",
            ["8:30: error: hours.business.week.mon-fri: found '9'; expected a time of day such as 9:00 or 17:30"],
        ),
        (
            "9:00-18:00",
            "18:00-9:00",
            [
                (
                    "8:30: error: hours.business.week.mon-fri: found '18:00-9:00'; expected the end after the beginning "
                    "(after midnight is the next day)"
                )
            ],
        ),
        (
            "{mon-fri: 9:00-18:00}",
            "{mon-fry: 9:00-18:00}",
            [
                (
                    "8:20: error: hours.business.week: found 'mon-fry'; expected days such as mon, mon-fri or sat,sun, or "
                    "holidays"
                )
            ],
        ),
        (
            "{mon-fri: 9:00-18:00}",
            "{mon-fri: closed, fri: closed}",
            ["8:20: error: hours.business.week: fri is named twice"],
        ),
        (
            "{week: {mon-fri: 9:00-18:00}}",
            "{holidays: {2026-13-25: closed}}",
            ["8:25: error: hours.business.holidays.2026-13-25: found '2026-13-25', expected a date such as 2026-12-25"],
        ),
        (
            "8:00-21:00",
            "closed",
            ["44:24: error: quiet_hours.contact: found 'closed'; expected one span such as 8:00-21:00"],
        ),
        # steps
        (
            "    - call\n",
            "    - cal\n",
            [
                (
                    "26:7: error: plans.standard.1: found 'cal'; expected call, push, or a step with a value such as "
                    "'alert: agent'"
                )
            ],
        ),
        (
            "    - alert: agent\n",
            "    - alert: agent\n      email: follow_up\n",
            [
                (
                    "27:7: error: plans.standard.2: found alert and email; expected exactly one of text, call, alert, wait, "
                    "email, push in a step"
                )
            ],
        ),
        (
            "wait: 10m unless acknowledged",
            "wait: 10m unless acknowleged",
            [
                (
                    "29:7: error: plans.standard.4.unless.0: found 'acknowleged', expected 'acknowledged', 'engaged' or "
                    "'reached' (did you mean 'acknowledged'?)"
                )
            ],
        ),
        (
            "    - alert: floor\n",
            "    - alert: floor\n      unless: engaged\n",
            ["30:7: error: plans.standard.5: unless belongs to a wait"],
        ),
        # unions
        ("type: smpp", "type: smp", ["46:15: error: gateways.sms.type: found 'smp', expected one of 'smpp', 'sip'"]),
        ("type: smpp, ", "", ["46:8: error: gateways.sms.type: expected, and not there"]),
        # patterns
        (
            "_1305555010X:",
            "_1305555010?:",
            [
                (
                    "18:3: error: numbers._1305555010?: '_1305555010?', character 12: found '?'; expected a digit, * # + X Z "
                    "N [set] . or !"
                )
            ],
        ),
        (
            '"13055550666"',
            '"1305555066X"',
            [
                (
                    "21:11: error: blocked.0: '1305555066X', character 11: found 'X'; a pattern begins with an underscore: "
                    "expected '_1305555066X'"
                )
            ],
        ),
        # numbers as they are compared
        (
            '"13055550107":',
            '"3055550107":',
            [
                (
                    "19:3: error: numbers.3055550107: can never match: 3055550107 is compared as 13055550107 "
                    "(write 13055550107)"
                )
            ],
        ),
        (
            '["13055550666"]',
            '["13055550667", _305XXXXXXX]',
            [("21:26: error: blocked.1: can never match: 3055550123 is compared as 13055550123 (write _1305XXXXXXX)")],
        ),
        (
            'callback: {to: ["_1NXXNXXXXXX"]',
            'callback: {to: ["_NXXNXXXXXX"]',
            [
                (
                    "43:17: error: callback.to.0: can never match: 2015550123 is compared as 12015550123 "
                    "(write _1NXXNXXXXXX)"
                )
            ],
        ),
        (
            "[{to: _1NXXNXXXXXX, via: sms}]",
            "[{to: _NXX-NXX-XXXX, via: sms}]",
            [
                (
                    "47:20: error: text_routes.0.to: can never match: 2015550123 is compared as 12015550123 "
                    "(write _1NXX-NXX-XXXX)"
                )
            ],
        ),
        (
            '["13055550666"]',
            '["5550666"]',
            [
                (
                    "21:11: error: blocked.0: can never match: no number looks so (expected international form, such as "
                    "12015550123)"
                )
            ],
        ),
        (
            "country: US",
            "country: UK",
            ["3:66: error: brokerage.country: found 'UK'; expected an ISO 3166 country such as US; did you mean 'GB'?"],
        ),
        (
            "country: US",
            "country: ZZ",
            ["3:66: error: brokerage.country: found 'ZZ'; expected an ISO 3166 country such as US"],
        ),
        # templates
        (
            "{brokerage} (automated): sorry",
            "{brokrage} (automated): sorry",
            [
                (
                    "37:13: error: templates.texts.missed: character 1: found {brokrage}; expected one of agent, brokerage, "
                    "listing, name, office, open_time, phone, time; did you mean 'brokerage'?"
                )
            ],
        ),
        (
            "sorry[ {name}] we",
            "sorry {name} we",
            [
                (
                    "37:13: error: templates.texts.missed: {name} is not always known (write [ ... {name} ... ] so that the "
                    "part is left out then)"
                )
            ],
        ),
        (
            "STOP to opt out.\n    missed_after_hours",
            "Bye.\n    missed_after_hours",
            [
                (
                    "37:13: error: templates.texts.missed: a first text says how to opt out: expected the word STOP in it "
                    "(MSG-01)"
                )
            ],
        ),
        # senders
        (
            "port: 2775,",
            "port: 2775, sender: HarborPointRe,",
            [
                (
                    "46:58: error: gateways.sms.sender: found 'HarborPointRe'; expected a number such as +13055550123, a "
                    "short code, or a name of at most 11 letters and digits"
                )
            ],
        ),
        (
            "port: 2775,",
            'port: 2775, sender: "13055550100",',
            [
                (
                    "46:58: error: gateways.sms.sender: found '13055550100'; expected a number such as +13055550123, a "
                    'short code, or a name of at most 11 letters and digits (write "+13055550100")'
                )
            ],
        ),
        # what is spoken
        (
            "quiet_hours:",
            'prompt: {notice: "Nobody at {brokerag} is here. Press 9 for no texts."}\nquiet_hours:',
            [
                (
                    "44:18: error: prompt.notice: found '{brokerag}', which would be spoken; expected {brokerage}; "
                    "did you mean 'brokerage'?"
                )
            ],
        ),
        (
            "quiet_hours:",
            "prompt: {never: 'As you wish. {Goodbye'}\nquiet_hours:",
            ["44:17: error: prompt.never: found '{Goodbye', which would be spoken; expected {brokerage}"],
        ),
        (
            "quiet_hours:",
            "voice: {piper_voice: voices/amy.onnx}\nquiet_hours:",
            [
                (
                    "44:22: error: voice.piper_voice: there is no file voices/amy.onnx: Ringback could not speak, and would "
                    "not start"
                )
            ],
        ),
        (
            "quiet_hours:",
            "voice: {tts: piper}\nquiet_hours:",
            ["44:8: error: voice.piper_voice: no piper_voice is named: Ringback could not speak, and would not start"],
        ),
        (
            "crm: {file: {type: jsonl, file: leads.jsonl}}",
            "crm: {hook: {type: webhook, url: 'http://[::1/x', secret: {env: X}}}",
            [
                "49:34: error: crm.hook.url: found 'http://[::1/x'; expected an address such as https://crm.example/hooks"
            ],
        ),
        # secrets
        (
            "password: {env: RINGBACK_TEST_SMPP}",
            "password: hunter2",
            [
                (
                    "46:81: error: gateways.sms.password: a secret is never written here: expected {env: NAME} or "
                    "{file: PATH}"
                )
            ],
        ),
        (
            "password: {env: RINGBACK_TEST_SMPP}",
            "password: 31415926",
            [
                (
                    "46:81: error: gateways.sms.password: a secret is never written here: expected {env: NAME} or "
                    "{file: PATH}"
                )
            ],
        ),
        (
            "{env: RINGBACK_TEST_SMPP}",
            "{env: A, file: b}",
            ["46:81: error: gateways.sms.password: expected exactly one of env and file"],
        ),
        # names that lead nowhere
        (
            "hours: business}\n  keys",
            "hours: busines}\n  keys",
            [
                (
                    "5:31: error: offices.miami.hours: found 'busines', expected one of the hours: business "
                    "(did you mean 'business'?)"
                )
            ],
        ),
        (
            "plan: standard}",
            "plan: standrad}",
            [
                (
                    "16:54: error: number_defaults.plan: found 'standrad', expected one of the plans: standard, brief "
                    "(did you mean 'standard'?)"
                )
            ],
        ),
        (
            "- alert: floor",
            "- alert: flor",
            [
                (
                    "30:14: error: plans.standard.5.alert: found 'flor', expected agent, an agent or a group: agent, ana, "
                    "bob, cleo, front, floor (did you mean 'floor'?)"
                )
            ],
        ),
        (
            "plan: standard}",
            "plan: standard, counts: [no_answer, answered]}",
            [
                (
                    "16:72: error: number_defaults.counts: found 'answered'; expected some of no_answer, busy, unreachable, "
                    "after_hours, abandoned, dropped"
                )
            ],
        ),
        (
            "[{text: missed}, push]",
            "[{text: missed}, {text: missed}]",
            ["34:3: error: plans.brief: two text steps: a caller is texted once for one miss"],
        ),
        (
            "office: miami, group: front, ",
            "office: miami, ",
            [
                "18:3: error: numbers._1305555010X: no group: expected it here or in number_defaults",
                "19:3: error: numbers.13055550107: no group: expected it here or in number_defaults",
            ],
        ),
        # YAML itself
        (
            "  miami:",
            "\tmiami:",
            [
                (
                    "5:1: error: not valid YAML: found character '\\t' that cannot start any token "
                    "(indent with spaces, not with tabs)"
                )
            ],
        ),
        ("data: var", "data: [var", ["3:10: error: not valid YAML: expected ',' or ']', but got ':'"]),
        (
            "data: var",
            "data: !!python/object/apply:os.system [ls]",
            [
                (
                    "2:7: error: data: found the tag tag:yaml.org,2002:python/object/apply:os.system, expected a value "
                    "without a tag"
                )
            ],
        ),
        ("data: var", "data: var\n? [a, b]\n: c", ["3:3: error: expected a name as key, found a list"]),
        (
            "data: var",
            "data: var\nincldue: [people.yaml]",
            ["3:1: error: incldue: unknown key (did you mean 'include'?)"],
        ),
        ("data: var", "data: var\n<<: 5", ["3:5: error: expected a mapping after <<, found a plain value"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert wrong(tmp_path, changed((old, new))) == [f"ringback.yaml:{line}" for line in said]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "1:1: error: the file is empty"),
        ("# nothing yet\n", "1:1: error: the file is empty"),
        ("hello\n", "1:1: error: expected a mapping of sections, found a plain value"),
        ("- a\n- b\n", "1:1: error: expected a mapping of sections, found a list"),
        (b"version: 1\n\x7fELF\x00\xff\xfe", "2:6: error: found octet 0xff, expected text in UTF-8"),
        (b"version: 1\nda\x00ta: x\n", "2:3: error: found character U+0000, expected text"),
        (b"# x\n" * 2_600_000, "1:1: error: found 10400000 octets, expected at most 1000000"),
        (OFFICE + "---\nversion: 1\n", "52:1: error: not valid YAML: but found another document"),
        (
            "a: &a [*a]\n",
            "1:4: error: a.0.0.0: found values more than 20 levels deep, or an alias that holds itself",
        ),
        (
            "x: &a [y, y, y, y, y, y, y, y, y, y]\n"
            + "".join(
                f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
                for before, name in zip("abcdefg", "bcdefgh", strict=True)
            ),
            "1:4: error: e.7.8.8: found more than 100000 values, those that aliases repeat included",
        ),
    ],
    ids=["empty", "comments", "scalar", "list", "binary", "nul", "10 MB", "two documents", "circle", "alias bomb"],
)
def test_a_file_that_is_no_settings_is_refused_at_once(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert wrong(tmp_path, content) == [f"ringback.yaml:{said}"]


# ------------------------------------------------------------------------------------------------------------- include
INCLUDING = changed(("data: var\n", "data: var\ninclude: [more.yaml]\n"))


def test_a_file_that_is_not_there_is_reported_where_it_is_named(tmp_path: Path) -> None:
    assert wrong(tmp_path, INCLUDING) == [
        "ringback.yaml:3:11: error: include.0: more.yaml cannot be read: No such file or directory"
    ]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").mkdir()
    assert wrong(tmp_path, INCLUDING) == [
        "ringback.yaml:3:11: error: include.0: more.yaml cannot be read: Is a directory"
    ]


def test_a_circle_of_includes_is_shown(tmp_path: Path) -> None:
    assert wrong(tmp_path, INCLUDING, more="include: [ringback.yaml]\n") == [
        "more.yaml:1:11: error: include.0: ringback.yaml includes itself: ringback.yaml → more.yaml → ringback.yaml"
    ]


def test_a_file_is_included_once(tmp_path: Path) -> None:
    text = INCLUDING.replace("[more.yaml]", "[more.yaml, more.yaml]")
    assert wrong(tmp_path, text, more="log: {level: info}\n") == [
        "ringback.yaml:3:22: error: include.1: more.yaml is included twice"
    ]


@pytest.mark.parametrize("value", ["more.yaml", "[5]", "{file: more.yaml}"])
def test_include_is_a_list_of_names(tmp_path: Path, value: str) -> None:
    text = INCLUDING.replace("[more.yaml]", value)
    assert wrong(tmp_path, text) == ["ringback.yaml:3:10: error: include: expected a list of file names"]


def test_a_key_stands_once_in_all_files_together(tmp_path: Path) -> None:
    more = "agents:\n  ana: {name: Somebody}\n  eve: {name: Else}\nblocked: []\n"
    assert wrong(tmp_path, INCLUDING, more=more) == [
        "more.yaml:2:3: error: agents.ana: stands already at ringback.yaml:11:3",
        "more.yaml:4:1: error: blocked: stands already at ringback.yaml:22:1",
    ]


def test_a_mistake_in_an_included_file_is_reported_there(tmp_path: Path) -> None:
    text = INCLUDING.replace("quiet_hours: {contact: 8:00-21:00, texts: hold}\n", "")
    assert wrong(tmp_path, text, more="\nquiet_hours: {contact: 8:00-21:00, txts: hold}\n") == [
        "more.yaml:2:36: error: quiet_hours.txts: unknown key (did you mean 'texts'?)"
    ]


def test_a_main_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "nowhere.yaml")
    (problem,) = caught.value.problems
    assert (problem.mark.line, problem.what) == (
        1,
        f"{tmp_path}/nowhere.yaml cannot be read: No such file or directory",
    )
    assert problem.as_json()["severity"] == Severity.ERROR


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = wrong(tmp_path, changed(("version: 1", "version: 2"), ("data: var", "dta: var"), ("port: 2775", "port: x")))
    assert [line.split(":")[1] for line in found] == ["1", "2", "46"]


# ------------------------------------------------------------------------------------------------------------ warnings
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '  "13055550109"',
            '  _130555502[0-4]X: {}\n  _130555502[5-9]X: {}\n  _130555502XX: {}\n  "13055550109"',
            (
                "22:3: warning: numbers._130555502XX: can never match: every number that it fits is taken by a more specific "
                "entry (compare _130555502[0-4]X, _130555502[5-9]X)"
            ),
        ),
        (
            '  "13055550109"',
            '  _305.: {}\n  "13055550109"',
            (
                "20:3: warning: numbers._305.: does not match all that it fits: 3055550123 is compared as 13055550123 "
                "(write _1305.)"
            ),
        ),
        (
            "Are you buying or selling? STOP",
            "Are you buying or selling, and by when would you like to have moved into the new place? STOP",
            (
                "37:13: warning: templates.texts.missed: up to 206 gsm units, 2 segments; expected one segment when every "
                "value is at its longest"
            ),
        ),
        (
            "Are you buying or selling? STOP",
            "Buying? 🏡 STOP",
            (
                "37:13: warning: templates.texts.missed: up to 129 ucs2 units, 2 segments; expected one segment when every "
                "value is at its longest (not in the GSM alphabet: 🏡)"
            ),
        ),
        (
            '"13055550109": {',
            '"13055550109": {listing: Vía Sol 5, ',
            (
                "37:13: warning: templates.texts.missed: up to 140 ucs2 units, 3 segments with the listing 'Vía Sol 5'; "
                "expected one segment when every value is at its longest (not in the GSM alphabet: í)"
            ),
        ),
        (
            "[{to: _1NXXNXXXXXX, via: sms}]",
            "[{to: _1NXXNXXXXXX, via: sms}, {to: _1NXXNXXXXXX, via: sms}]",
            "47:45: warning: text_routes.1: can never match: more specific routes take all of its destinations",
        ),
        (
            "[{to: _1NXXNXXXXXX",
            "[{to: _X.",
            "47:20: warning: text_routes.0.to: this lets texts go to every country",
        ),
        (
            "crm: {file",
            "web: {host: 0.0.0.0}\ncrm: {file",
            (
                "49:13: warning: web.host: /metrics and /health ask for no password: anybody who reaches this address "
                "reads them (expected a loopback address: 127.0.0.1)"
            ),
        ),
        (
            "quiet_hours:",
            "prompt: {notice: Nobody is here. We will text you.}\nquiet_hours:",
            "44:18: warning: prompt.notice: does not name key 9: it is how a caller refuses texts and calls",
        ),
        (
            "quiet_hours:",
            "voice: {vosk_model: models/en}\nquiet_hours:",
            "44:21: warning: voice.vosk_model: there is no folder models/en: nobody will be called back",
        ),
        (
            "quiet_hours:",
            f"voice: {{vosk_model: {'x' * 300}}}\nquiet_hours:",
            f"44:21: warning: voice.vosk_model: there is no folder {'x' * 300}: nobody will be called back",
        ),
        (
            "quiet_hours:",
            "voice: {stt: vosk}\nquiet_hours:",
            "44:8: warning: voice.vosk_model: no vosk_model is named: nobody will be called back",
        ),
        (
            "quiet_hours:",
            "voice: {language: es}\nquiet_hours:",
            "44:19: warning: voice.language: pocketsphinx knows English only: nobody will be called back",
        ),
        (
            "quiet_hours:",
            "voice: {vosk_model: ., piper_voice: ringback.yaml, language: es-US}\nquiet_hours:",
            (
                "44:62: warning: voice.language: callbacks speak and understand English only: an answer in another language is "
                "not understood (expected en; only the prompts may be of another)"
            ),
        ),
        (
            "email: {host: 127.0.0.1",
            "email: {host: mail.harbor.example",
            (
                "48:58: warning: email.security: mail, and what it says of callers, goes to mail.harbor.example unencrypted "
                "(expected starttls or tls)"
            ),
        ),
        (
            "crm: {file: {type: jsonl, file: leads.jsonl}}",
            "crm: {hook: {type: webhook, url: 'http://crm.example/x', secret: {env: X}}}",
            (
                "49:34: warning: crm.hook.url: leads and transcripts go to crm.example unencrypted (expected an address that "
                "begins with https://)"
            ),
        ),
        (
            "agents: [ana, bob]",
            "agents: []",
            "14:3: warning: groups.front: no agents: nobody can be told of its missed calls",
        ),
        (
            "ana: {name: Desk A, email: ana@harbor.example,",
            "ana: {name: Desk A,",
            "10:3: warning: agents.ana: no email: of the leads that this agent is given, the others of the group are told",
        ),
        (
            "port: 2775,",
            "port: 2775, sender: Harbor Pt,",
            (
                "46:58: warning: gateways.sms.sender: nobody can answer a name: STOP does not come back, nor does what callers "
                "reply (expected a number that takes texts)"
            ),
        ),
    ],
)
def test_what_will_surprise_somebody_is_a_warning(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "ringback.yaml"
    path.write_text(changed((old, new)), encoding="utf-8")
    assert f"{path}:{said}" in [str(warning) for warning in load(path).warnings]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("quiet_hours:", "prompt: {notice: 'Nobody is here. For no texts press nine.'}\nquiet_hours:"),
        ("quiet_hours:", "voice: {vosk_model: ., piper_voice: ringback.yaml, language: en-GB}\nquiet_hours:"),
        (
            "quiet_hours:",
            "voice: {vosk_model: nowhere, stt: pocketsphinx, piper_voice: nowhere, tts: flite}\nquiet_hours:",
        ),
        ("email: {host: 127.0.0.1", "email: {host: localhost"),
        ("security: none", "security: starttls"),
        (
            "crm: {file: {type: jsonl, file: leads.jsonl}}",
            "crm: {hook: {type: webhook, url: 'http://[::1]:8080/x', secret: {env: X}}}",
        ),
        ("port: 2775,", 'port: 2775, sender: "+13055550100",'),
        ("port: 2775,", 'port: 2775, sender: "24273",'),
        ("port: 2775,", 'port: 2775, source_ton: 2, sender: "3055550100",'),
    ],
)
def test_what_is_in_order_surprises_nobody(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "ringback.yaml"
    path.write_text(changed((old, new)), encoding="utf-8")
    assert load(path).warnings == ()


def test_folded_text_is_text_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "ringback.yaml"
    path.write_text(changed(("quiet_hours:", "prompt:\n  never: >-\n    We will not\n    call you.\nquiet_hours:")))
    assert load(path).document.prompt.never == "We will not call you."
