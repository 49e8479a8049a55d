"""Fetches or makes what tests run against, so that no test's time limit pays for it: ``python -m tests.support.prepare``."""

from __future__ import annotations

import importlib.util
import sys

from ari_app.errors import RingbackError
from ari_app.pbx.errors import PbxError
from ari_app.pbx.host import find_asterisk
from tests.sms_gateway.interop.jasmin import PACKAGES
from tests.sms_gateway.interop.programs import SMPP, npm_folder, python_environment
from tests.voice_agent.models.vosk_model import cached_vosk_model

NO_PHONES = (
    "The SIP phones of the tests are pjsua2-python, which has wheels for Python 3.11 and 3.12 on x86_64 alone: remove .venv, and"
    " run this with PYTHON=/path/to/python3.12. (Ringback itself and scripts/demo run on newer ones, and on other machines.)"
)


def say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """0: all is there. 1: something could not be fetched or made, or does not fit this machine, and is named."""
    if importlib.util.find_spec("pjsua2") is None:
        say(NO_PHONES)
        return 1
    try:
        say(f"Asterisk {find_asterisk(progress=say).version}")
        say(f"the SMPP server {SMPP}")
        npm_folder(SMPP)
        say("the gateway Jasmin (a minute the first time)")
        python_environment("jasmin", *PACKAGES)
        say("speech models of sixty words (half a minute the first time)")
        cached_vosk_model()
    except (RingbackError, PbxError, RuntimeError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
