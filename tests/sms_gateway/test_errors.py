"""Errors say what to do next, and are the builtin that a caller would catch."""

from __future__ import annotations

import pytest

from sms_gateway.errors import (
    BindRefused,
    InDoubt,
    NotSent,
    PduError,
    Refused,
    RouteMissing,
    SmsError,
    TextInvalid,
    Throttled,
)


@pytest.mark.parametrize(
    ("error", "builtin", "sentence"),
    [
        (TextInvalid("too long"), ValueError, "too long"),
        (RouteMissing("…0123"), LookupError, "no route for the destination …0123"),
        (NotSent("no bind"), ConnectionError, "not sent: no bind"),
        (Throttled(1.5, 0x58), SmsError, "throttled by the carrier (status 0x58); try again in 1.5 s"),
        (Refused(0x0B, "ESME_RINVDSTADR", permanent=True), SmsError, "refused by the carrier: ESME_RINVDSTADR (0x0B)"),
        (
            Refused(0x45, "ESME_RSUBMITFAIL", permanent=False, accepted=("a",), not_sent=(3,)),
            SmsError,
            "refused by the carrier: ESME_RSUBMITFAIL (0x45); 1 earlier segment(s) were accepted",
        ),
        (
            InDoubt("link lost", accepted=("a",), in_doubt=(2,), not_sent=(3, 4)),
            TimeoutError,
            "in doubt: link lost (accepted 1, unanswered 1, not sent 2)",
        ),
        (
            BindRefused(0x0E, "ESME_RINVPASWD", "the password is wrong"),
            PermissionError,
            "bind refused: ESME_RINVPASWD (0x0E): the password is wrong",
        ),
        (PduError("service_type", "no NUL", offset=16), ValueError, "service_type at octet 16: no NUL"),
        (PduError("service_type", "7 characters, 5 allowed"), ValueError, "service_type: 7 characters, 5 allowed"),
    ],
)
def test_every_error_speaks_and_is_the_builtin_to_catch(
    error: SmsError, builtin: type[Exception], sentence: str
) -> None:
    assert isinstance(error, SmsError)
    assert isinstance(error, builtin)
    assert str(error) == sentence
