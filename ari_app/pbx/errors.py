"""The errors of ``ari_app.pbx``. A leaf tells the caller what to do.

::

    PbxError
    ├── AriError                        a request to Asterisk's REST interface did not do what was asked
    │   ├── NotFoundError (LookupError)      the thing is gone, usually because a hang-up raced us: decide once, go on
    │   ├── StateConflictError               it is there, and in no state for this (409, 412, 422): do something else
    │   ├── BadRequestError (ValueError)     we asked nonsense (400 and other 4xx): mend the program
    │   ├── RefusedError (PermissionError)   wrong user or password, or a read-only user (401, 403): ask a person
    │   ├── UnavailableError (ConnectionError)  no answer, or none in time: retry later; the act may have happened
    │   ├── ServerFaultError                 Asterisk could not do it (5xx): treat the act as failed
    │   └── MalformedAnswerError (ValueError)   JSON that is not what the API documents say: mend the program
    ├── AmiError                        the manager interface did not do what was asked
    │   ├── AmiRefusedError (PermissionError)   wrong user or password, or an action that the user may not: ask a person
    │   ├── AmiLostError (ConnectionError)      no connection, or none that answers: connect again
    │   └── AmiUnsafeError (ValueError)         a value that would end its line: refuse whoever it came from
    ├── MalformedEventError (ValueError)     an event that is not what the API documents say
    ├── TakenOverError              another client has our application: stop, ask a person
    ├── UnsafeValueError (ValueError)   a value that would change the meaning of Asterisk's file: ask a person
    ├── AsteriskMissingError (LookupError)   none found, and none could be fetched: ask a person
    └── AsteriskFailedError                  it did not start, or did not stop: the log lines are inside
        ├── PortInUseError (OSError)         another program listens where Asterisk should: ask a person
        └── NotRunningError (ConnectionError)  a command needs a running one: start it
"""

from __future__ import annotations


class PbxError(Exception):
    """Anything that went wrong with Asterisk."""


class AriError(PbxError):
    """A request failed: ``request`` is its method and path, ``status`` the HTTP status (0 without an answer)."""

    def __init__(self, request: str, status: int, reason: str) -> None:
        super().__init__(f"{request}: {status} {reason}" if status else f"{request}: {reason}")
        self.request = request
        self.status = status
        self.reason = reason


class NotFoundError(AriError, LookupError):
    """The channel, bridge, playback or endpoint is not there (any more)."""


class StateConflictError(AriError):
    """The channel or bridge is in no state for this: not up, not in our application, recorded already."""


class BadRequestError(AriError, ValueError):
    """Asterisk could not make sense of the request."""


class RefusedError(AriError, PermissionError):
    """Asterisk does not know this user, or the user may not do this."""


class UnavailableError(AriError, ConnectionError):
    """No answer. What was asked may have been done all the same."""


class ServerFaultError(AriError):
    """Asterisk failed inside. It also says 500 for an endpoint that is not registered (``Allocation failed``)."""


class MalformedAnswerError(AriError, ValueError):
    """The answer was not the JSON that the API documents promise."""


class AmiError(PbxError):
    """An action through AMI failed."""


class AmiRefusedError(AmiError, PermissionError):
    """Asterisk does not know this user, or the user may not do this. ``said`` is Asterisk's message."""

    def __init__(self, action: str, said: str) -> None:
        super().__init__(f"{action}: {said or 'refused'}")
        self.action = action
        self.said = said


class AmiLostError(AmiError, ConnectionError):
    """There is no connection, or it does not answer."""


class AmiUnsafeError(AmiError, ValueError):
    """A name or value with a line end in it: what follows it would be another action."""

    def __init__(self, header: str) -> None:
        super().__init__(f"{header[:40]!r}: expected one line")
        self.header = header


class MalformedEventError(PbxError, ValueError):
    """An event did not have the shape that the API documents promise."""

    def __init__(self, event_type: str, why: str) -> None:
        super().__init__(f"{event_type}: {why}")
        self.event_type = event_type
        self.why = why


class TakenOverError(PbxError):
    """Another client connected as ``application``. Two of them would take it from each other for ever."""

    def __init__(self, application: str) -> None:
        super().__init__(f"another client has taken the Stasis application {application!r}: is Ringback running twice?")
        self.application = application


class UnsafeValueError(PbxError, ValueError):
    """A value cannot stand in Asterisk's configuration; ``why`` never repeats a secret."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class AsteriskMissingError(PbxError, LookupError):
    """No usable Asterisk: the sentence says what was tried and what would help."""


class AsteriskFailedError(PbxError):
    """Asterisk did not do what it was started or stopped for; ``log`` holds its last lines."""

    def __init__(self, why: str, log: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((why, *(f"  {line}" for line in log))))
        self.why = why
        self.log = log


class PortInUseError(AsteriskFailedError, OSError):
    """An address that Asterisk needs is taken; ``holder`` names the program when it could be found out."""

    def __init__(self, purpose: str, address: str, holder: str | None) -> None:
        super().__init__(f"{purpose} needs {address}, which {holder or 'another program'} uses already")
        self.purpose = purpose
        self.address = address
        self.holder = holder


class NotRunningError(AsteriskFailedError, ConnectionError):
    """There is no running Asterisk of ours in this folder."""
