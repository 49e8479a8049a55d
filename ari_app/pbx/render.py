"""Asterisk's configuration files from the templates in ``asterisk/``, so that no value can change their meaning.

Every ``{{ value }}`` passes ``refuse_injection``, whatever the template says: a value stays one value on its line. The
templates are readable ``.conf`` files; lines that begin with ``;%`` are Jinja's.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, Undefined

from ari_app.pbx.errors import UnsafeValueError
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import AsteriskHost, AsteriskVersion
from ari_app.pbx.modules import module_list
from ari_app.pbx.resources import resources
from ari_app.recovery.patterns import Pattern, PatternError
from ari_app.settings.pbx import Telephony, uri_host
from ari_app.settings.secrets import SecretStore

_WITH_SECRETS = frozenset({"ari.conf", "manager.conf", "pjsip.conf"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DIALPLAN_SAFE = re.compile(r"[A-Za-z0-9_+*#./@!\[\]-]*")
_NORTH_AMERICA = frozenset("1")
_NORTH_AMERICAN_DIGITS = 11


@dataclass(frozen=True, slots=True)
class RingGroup:
    """Who rings when Ringback is away: the ``phones`` for a dialled number, for so many seconds.

    ``pattern`` is a number or an Asterisk pattern, in international form with or without ``+``: ``+13055550100``,
    ``_1305555010X``. Raises UnsafeValueError when it is neither.
    """

    pattern: str
    phones: tuple[str, ...]
    ring_seconds: int = 18

    def __post_init__(self) -> None:
        if self.pattern.startswith("+0"):
            raise UnsafeValueError(f"ring group {self.pattern!r}", "no country code begins with 0")
        try:
            Pattern.parse(self._plain)
        except PatternError as error:
            raise UnsafeValueError(f"ring group {self.pattern!r}", error.why) from error

    @property
    def _plain(self) -> str:
        return self.pattern.replace("+", "", 1) if self.pattern.startswith(("+", "_+")) else self.pattern

    @property
    def patterns(self) -> tuple[str, ...]:
        """What the carrier may send for it: all digits, and in North America also the last ten."""
        parsed = Pattern.parse(self._plain)
        if parsed.tail or len(parsed.sets) != _NORTH_AMERICAN_DIGITS or parsed.sets[0] != _NORTH_AMERICA:
            return (self._plain,)
        return (self._plain, self._plain.replace("1", "", 1))


@dataclass(frozen=True, slots=True)
class Dialplan:
    """What the dialplan knows by itself, for the time that Ringback is away.

    Numbers without a ring group ring all phones for ``ring_seconds``. ``mailbox`` (an extension whose phone has
    voicemail) takes what nobody answered. ``caller_number`` is what the outside sees when a desk phone calls out.
    """

    ring_groups: tuple[RingGroup, ...] = ()
    ring_seconds: int = 18
    mailbox: str | None = None
    caller_number: str | None = None


@dataclass(frozen=True, slots=True)
class PbxSecrets:
    """The passwords in the configuration: of ARI and AMI, by extension, and by trunk (those that register)."""

    ari: str
    manager: str
    phones: Mapping[str, str]
    trunks: Mapping[str, str]

    @classmethod
    def resolve(cls, telephony: Telephony, store: SecretStore) -> PbxSecrets:
        """Reads them, and generates those that nobody chose: ``ari``, ``manager``, ``phone-EXTENSION``.

        Raises SecretUnavailableError.
        """
        return cls(
            ari=store.resolve("ari", telephony.pbx.ari.secret),
            manager=store.resolve("manager", telephony.pbx.manager.secret),
            phones={name: store.resolve(f"phone-{name}", phone.secret) for name, phone in telephony.phones.items()},
            trunks={
                name: store.resolve(f"trunk-{name}", trunk.registration.secret)
                for name, trunk in telephony.trunks.items()
                if trunk.registration is not None
            },
        )


def refuse_injection(value: Any) -> Any:
    """``value``, if Asterisk's parser will read it back as it is. Raises UnsafeValueError, which does not repeat it."""
    if isinstance(value, Undefined):
        return value  # StrictUndefined raises when it is printed
    if isinstance(value, bool) or value is None or isinstance(value, (list, tuple, dict)):
        raise UnsafeValueError("template", f"a {type(value).__name__} cannot be written as it is")
    text = str(value)
    if _CONTROL.search(text):
        raise UnsafeValueError("value", "holds a line break or another control character")
    if ";" in text:
        raise UnsafeValueError("value", "holds a semicolon, which begins a comment in Asterisk's files")
    if text != text.strip():
        raise UnsafeValueError("value", "begins or ends with a blank, which Asterisk's files lose")
    return value


def _caller_name(value: str) -> str:
    """A name to stand in quotes before a number (``"Name" <101>``)."""
    if set(value) & set('"<>\\,'):
        raise UnsafeValueError("name of a phone", 'holds one of " < > \\ and comma')
    return value


def _dialplan(value: Any) -> str:
    """A value to stand in extensions.conf, where ``$``, commas, brackets and quotes mean something."""
    text = str(value)
    if not _DIALPLAN_SAFE.fullmatch(text):
        raise UnsafeValueError(
            f"{text!r}", "the dialplan takes letters, digits and . / @ _ + * # - only (also in the data folder's path)"
        )
    return text


def render(
    telephony: Telephony, secrets: PbxSecrets, host: AsteriskHost, folders: PbxFolders, dialplan: Dialplan = Dialplan()
) -> list[Path]:
    """Writes every file of the configuration into ``folders.etc``; returns those that changed.

    Files with secrets are readable by their owner and group alone. Raises UnsafeValueError before anything is written,
    also for an ARI or AMI that the network could reach, and for a phone that does not exist.
    """
    _check(telephony, dialplan)
    environment = Environment(
        loader=FileSystemLoader(resources("asterisk")),
        autoescape=False,  # noqa: S701 - these are no HTML pages; refuse_injection guards every value
        undefined=StrictUndefined,
        finalize=refuse_injection,
        line_statement_prefix=";%",
        keep_trailing_newline=True,
    )
    environment.filters |= {"caller_name": _caller_name, "dialplan": _dialplan, "uri_host": uri_host}

    def dial(phones: Iterable[str]) -> str:
        """The argument of Dial() that rings all contacts of ``phones`` at once."""
        return "&".join(f"PJSIP/{_dialplan(phone)}" for phone in phones)

    context: dict[str, Any] = {
        "telephony": telephony,
        "secrets": secrets,
        "host": host,
        "folders": folders,
        "dialplan": dialplan,
        "modules": module_list(host),
        "version": AsteriskVersion,
        "dial": dial,
        "away_notice": _dialplan(folders.sounds / "missed_call_away"),
        "max_files": min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536),
        "auth_type": "digest" if host.version >= AsteriskVersion(22, 6) else "userpass",
        "mailbox": dialplan.mailbox if host.has_module("app_voicemail") else None,
    }
    texts = {}
    # asterisk/attach holds what other people's PBXs get; it is no part of ours.
    for name in sorted(environment.list_templates(filter_func=lambda name: "/" not in name and name.endswith(".conf"))):
        try:
            texts[name] = environment.get_template(name).render(context)
        except UnsafeValueError as error:
            raise UnsafeValueError(f"{name}: {error.where}", error.why) from error
        except TemplateError as error:
            raise UnsafeValueError(name, str(error)) from error
    return [
        path
        for name, text in texts.items()
        if _write(path := folders.etc / name, text, 0o640 if name in _WITH_SECRETS else 0o644)
    ]


def _check(telephony: Telephony, dialplan: Dialplan) -> None:
    for name, listener in (("pbx.http.host", telephony.pbx.http), ("pbx.ami.host", telephony.pbx.ami)):
        if listener.host not in ("127.0.0.1", "::1"):
            raise UnsafeValueError(
                name, "expected 127.0.0.1 or ::1: audio at /media has no password, and AMI no encryption"
            )
    phones = [(group.pattern, phone) for group in dialplan.ring_groups for phone in group.phones]
    for where, phone in phones:
        if phone not in telephony.phones:
            raise UnsafeValueError(f"ring group {where}", f"there is no phone {phone}")
    if dialplan.mailbox is not None:
        owner = telephony.phones.get(dialplan.mailbox)
        if owner is None or not owner.voicemail:
            raise UnsafeValueError(f"mailbox {dialplan.mailbox}", "expected a phone with voicemail: true")


def _write(path: Path, text: str, mode: int) -> bool:
    """Replaces ``path`` as one act; False when it says so already."""
    data = text.encode()
    try:
        if path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
            return False
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            with contextlib.suppress(PermissionError):
                os.fchown(file.fileno(), -1, path.parent.stat().st_gid)  # the group that Asterisk reads it by
            os.fchmod(file.fileno(), mode)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return True
