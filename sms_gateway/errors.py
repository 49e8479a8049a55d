"""What can go wrong with a text, each leaf telling the caller what to do next.

    SmsError
    ├── TextInvalid   (ValueError)       the text or an address can never be sent: correct it
    ├── RouteMissing  (LookupError)      no gateway serves the destination: correct the routes
    ├── NotSent       (ConnectionError)  nothing left this machine: retry freely
    ├── Throttled                        the carrier asked for patience and took nothing: retry after `retry_after`
    ├── Refused                          the carrier said no: give up if `permanent`, else retry a few times
    ├── InDoubt       (TimeoutError)     some of it may be on its way: look for evidence, never resend blindly
    ├── BindRefused   (PermissionError)  the carrier does not let us in: ask a person
    └── PduError      (ValueError)       bytes that are not SMPP 3.4, or a field that does not fit

`NotSent` and `Throttled` promise that no segment was accepted, so that sending again cannot double anything.
"""

# ruff: noqa: N818 - a leaf is named by what happened to the text (`InDoubt`, `Refused`), which callers read aloud

from __future__ import annotations


class SmsError(Exception):
    """Root of everything that this package raises on purpose."""


class TextInvalid(SmsError, ValueError):
    """The text, its length or one of its addresses can never be sent."""


class RouteMissing(SmsError, LookupError):
    """No route leads to the destination.

    destination: redacted to its last four digits.
    """

    def __init__(self, destination: str) -> None:
        super().__init__(f"no route for the destination {destination}")
        self.destination = destination


class NotSent(SmsError, ConnectionError):
    """Nothing was handed to the network.

    reason: why, in words for an operator.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"not sent: {reason}")
        self.reason = reason


class Throttled(SmsError):
    """The carrier is limiting us; it accepted nothing of this text.

    retry_after: seconds to wait before trying again.
    status: the SMPP command_status, 0x58 or 0x14.
    """

    def __init__(self, retry_after: float, status: int) -> None:
        super().__init__(f"throttled by the carrier (status 0x{status:02X}); try again in {retry_after:.1f} s")
        self.retry_after = retry_after
        self.status = status


class Refused(SmsError):
    """The carrier refused the text, or one of its segments.

    status, name: the SMPP command_status and its name.
    permanent: sending the same again cannot succeed.
    accepted: message ids of the earlier segments that the carrier did accept; usually empty.
    not_sent: 1-based numbers of the segments that were never handed over.
    """

    def __init__(
        self,
        status: int,
        name: str,
        *,
        permanent: bool,
        accepted: tuple[str, ...] = (),
        not_sent: tuple[int, ...] = (),
    ) -> None:
        kept = f"; {len(accepted)} earlier segment(s) were accepted" if accepted else ""
        super().__init__(f"refused by the carrier: {name} (0x{status:02X}){kept}")
        self.status = status
        self.name = name
        self.permanent = permanent
        self.accepted = accepted
        self.not_sent = not_sent


class InDoubt(SmsError, TimeoutError):
    """At least one segment was handed over and the fate of the whole text is not known.

    accepted: message ids of the segments that the carrier accepted, in order.
    in_doubt: 1-based numbers of the segments handed to the network and never answered.
    not_sent: 1-based numbers of the segments that were never handed over.
    """

    def __init__(
        self,
        reason: str,
        *,
        accepted: tuple[str, ...] = (),
        in_doubt: tuple[int, ...] = (),
        not_sent: tuple[int, ...] = (),
    ) -> None:
        super().__init__(
            f"in doubt: {reason} (accepted {len(accepted)}, unanswered {len(in_doubt)}, not sent {len(not_sent)})"
        )
        self.reason = reason
        self.accepted = accepted
        self.in_doubt = in_doubt
        self.not_sent = not_sent


class BindRefused(SmsError, PermissionError):
    """The carrier rejected the bind for good: system id, password or account are wrong.

    status, name: the SMPP command_status and its name.
    """

    def __init__(self, status: int, name: str, mend: str) -> None:
        super().__init__(f"bind refused: {name} (0x{status:02X}): {mend}")
        self.status = status
        self.name = name


class PduError(SmsError, ValueError):
    """Bytes that are not a PDU of SMPP 3.4, or a value that its field cannot hold.

    field: name of the field, as in the standard.
    offset: octet of the PDU at which the field begins, counted from the header; None when encoding.
    status: the command_status with which to answer the peer.
    """

    def __init__(self, field: str, reason: str, *, offset: int | None = None, status: int = 0x02) -> None:
        where = "" if offset is None else f" at octet {offset}"
        super().__init__(f"{field}{where}: {reason}")
        self.field = field
        self.reason = reason
        self.offset = offset
        self.status = status
