"""Send one text over SMPP and say in plain sentences what the carrier answers: ``python -m sms_gateway --help``.

For trying a carrier's account before it goes into the configuration. Exit status: 0 accepted, and delivered where a
receipt was waited for; 1 refused, in doubt, or not delivered; 2 wrong usage, or no bind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sms_gateway.encoding import Alphabet
from sms_gateway.errors import BindRefused, InDoubt, NotSent, Refused, SmsError, TextInvalid, Throttled
from sms_gateway.messages import DeliveryState, InboundText, OutboundText, Receipt
from sms_gateway.receipts import canonical_id
from sms_gateway.segments import measure
from sms_gateway.smpp.client import SmppGateway
from sms_gateway.smpp.options import BindMode, LinkOptions, Segmentation, TlsOptions
from sms_gateway.smpp.status import meaning

_ACCEPTED, _REFUSED, _UNUSABLE = 0, 1, 2


class Report:
    """What happened, printed as it happens: a sentence each, or one JSON object a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._began = asyncio.get_running_loop().time()
        self.states: dict[str, DeliveryState] = {}
        self.changed = asyncio.Event()

    def say(self, event: str, sentence: str, **facts: object) -> None:
        """One line."""
        seconds = asyncio.get_running_loop().time() - self._began
        if self._as_json:
            line = json.dumps({"seconds": round(seconds, 3), "event": event, **facts}, default=str)
        else:
            line = f"{seconds:8.3f} s  {sentence}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    async def inbound(self, message: InboundText | Receipt) -> None:
        """Print a receipt or a text; nothing is stored here, so it is acknowledged at once."""
        if isinstance(message, Receipt):
            error = f", error {message.error}" if message.error else ""
            self.say(
                "receipt",
                f"Receipt for {message.message_id or 'an unnamed message'}: {message.state.value}{error}.",
                message_id=message.message_id,
                state=message.state.value,
                error=message.error,
                done_at=message.done_at,
            )
            self.states.update(dict.fromkeys(message.candidates, message.state))
            self.changed.set()
        else:
            self.say(
                "text",
                f"Text from {message.source} to {message.destination}: {message.body!r}.",
                source=message.source,
                destination=message.destination,
                body=message.body,
                unreadable=message.unreadable,
            )


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a process of its own: here is where the clock comes in


def command_line() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="python -m sms_gateway", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", help="what to send")
    parser.add_argument("--host", required=True, help="name or address of the carrier's SMSC")
    parser.add_argument("--port", type=int, default=2775, help="its port (2775)")
    parser.add_argument("--system-id", required=True, help="the account")
    secret = parser.add_mutually_exclusive_group(required=True)
    secret.add_argument("--password-env", metavar="NAME", help="environment variable that holds the password")
    secret.add_argument("--password-file", type=Path, metavar="FILE", help="file that holds the password")
    parser.add_argument("--system-type", default="", help="if the carrier asks for one")
    parser.add_argument("--tls", action="store_true", help="connect with TLS; the certificate is verified")
    parser.add_argument("--ca-file", metavar="FILE", help="certificate authority to trust instead of the system's")
    parser.add_argument("--server-name", help="name in the carrier's certificate, if it is not the host")
    parser.add_argument("--bind", choices=[mode.value for mode in BindMode], default=BindMode.TRANSCEIVER.value)
    parser.add_argument("--from", dest="source", required=True, help="sender: +15125550100, a short code, or a name")
    parser.add_argument("--to", required=True, help="destination: +15125550123")
    parser.add_argument("--segmentation", choices=[way.value for way in Segmentation], default=Segmentation.UDH8.value)
    alphabets = [alphabet.value for alphabet in Alphabet if alphabet is not Alphabet.UCS2]
    parser.add_argument("--alphabet", choices=alphabets, default=Alphabet.GSM.value, help="what data_coding 0 means")
    parser.add_argument("--wait-receipt", type=float, metavar="SECONDS", help="wait that long for receipts and replies")
    parser.add_argument("--verbose", action="store_true", help="log what the connection does, to standard error")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of sentences")
    return parser


def _password(arguments: argparse.Namespace) -> str:
    if arguments.password_env is not None:
        value = os.environ.get(arguments.password_env)
        if value is None:
            raise ValueError(f"the environment variable {arguments.password_env} is not set: export it first")
        return value
    path: Path = arguments.password_file
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the password file cannot be read: {error}") from error


def _options(arguments: argparse.Namespace) -> LinkOptions:
    password = _password(arguments)
    return LinkOptions(
        host=arguments.host,
        port=arguments.port,
        system_id=arguments.system_id,
        password=password,
        long_password=len(password) > 8,
        system_type=arguments.system_type,
        bind=BindMode(arguments.bind),
        tls=TlsOptions(ca_file=arguments.ca_file, server_name=arguments.server_name) if arguments.tls else None,
        segmentation=Segmentation(arguments.segmentation),
        default_alphabet=Alphabet(arguments.alphabet),
    )


async def _run(arguments: argparse.Namespace) -> int:
    report = Report(as_json=arguments.json)
    try:
        options = _options(arguments)
        text = OutboundText(arguments.source, arguments.to, arguments.text, reference="command line")
        gateway = SmppGateway(options, report.inbound, wall=_wall, random=random.SystemRandom().random)
    except (ValueError, OSError) as error:
        report.say("usage", f"Not started: {error}.", error=str(error))
        return _UNUSABLE
    async with gateway:
        try:
            await gateway.wait_bound(options.connect_seconds + options.response_seconds, persist=False)
        except (BindRefused, NotSent) as error:
            report.say("unbound", f"Not bound to {options.host}:{options.port}: {_sentence(error)}.", error=str(error))
            return _UNUSABLE
        report.say("bound", f"Bound to {options.host}:{options.port} as {options.system_id}.", state="bound")
        return await _send(gateway, text, report, arguments.wait_receipt)


async def _send(gateway: SmppGateway, text: OutboundText, report: Report, wait_seconds: float | None) -> int:
    cost = measure(text.body)
    try:
        submission = await gateway.send(text)
    except TextInvalid as error:
        report.say("invalid", f"Not sent: {_sentence(error)}.", error=str(error))
        return _UNUSABLE
    except SmsError as error:
        report.say(type(error).__name__.lower(), f"{_sentence(error)}.", error=str(error))
        return _REFUSED
    report.say(
        "accepted",
        f"Accepted: {submission.segments} segment(s), {cost.units} units of {cost.alphabet.value.upper()}.",
        segments=submission.segments,
        message_ids=submission.message_ids,
    )
    for index, message_id in enumerate(submission.message_ids, start=1):
        report.say(
            "segment", f"Segment {index}: id {message_id or '(none given)'}.", index=index, message_id=message_id
        )
    if wait_seconds is None:
        return _ACCEPTED
    return await _await_receipts(submission.message_ids, report, wait_seconds)


async def _await_receipts(message_ids: Sequence[str], report: Report, wait_seconds: float) -> int:
    wanted = [canonical_id(message_id) for message_id in message_ids]
    try:
        async with asyncio.timeout(wait_seconds):
            while not all(report.states.get(each, DeliveryState.UNKNOWN).final for each in wanted):
                report.changed.clear()
                await report.changed.wait()
    except TimeoutError:
        missing = sum(not report.states.get(each, DeliveryState.UNKNOWN).final for each in wanted)
        report.say("late", f"No final receipt for {missing} segment(s) within {wait_seconds:g} s.", missing=missing)
        return _REFUSED
    delivered = all(report.states[each] is DeliveryState.DELIVERED for each in wanted)
    report.say("delivered" if delivered else "undelivered", "Delivered." if delivered else "Not delivered.")
    return _ACCEPTED if delivered else _REFUSED


def _sentence(error: SmsError) -> str:
    """The error, and what can be done about it."""
    said = str(error)[:1].upper() + str(error)[1:]
    match error:
        case Refused(status=code):
            return f"{said}. To mend it: {meaning(code).mend}"
        case Throttled():
            return f"{said}. To mend it: ask the carrier for the rate of the account"
        case InDoubt():
            return f"{said}. It may arrive all the same: do not send it again before you know"
        case NotSent():
            return f"{said}. To mend it: check host, port, firewall and TLS"
        case _:
            return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, and give the exit status."""
    parsed = command_line().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if parsed.verbose else logging.CRITICAL)
    try:
        return asyncio.run(_run(parsed))
    except KeyboardInterrupt:
        return _REFUSED


if __name__ == "__main__":
    sys.exit(main())
