"""Logging, plain and as JSON, in a process of its own: it is configured once."""

from __future__ import annotations

import json

import pytest

from tests.support.programs import run_program

PROGRAM = """
import logging, sys, structlog
from ari_app.log import configure
early = structlog.get_logger("early")
configure(sys.argv[1], as_json=sys.argv[2] == "json")
structlog.get_logger("texts").info("text_received", sender="…0142", unreadable=False)
structlog.get_logger("texts").debug("details", n=1)
logging.getLogger("sms_gateway.smpp").warning("the link to %s is down", "carrier")
logging.getLogger("aiohttp.access").info("GET /health")
with structlog.contextvars.bound_contextvars(call_id="1764.5"):
    early.warning("call_missed", rings=3)
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("lanes").exception("lane_defect", kind="text")
"""


def test_as_json_every_line_is_an_object_with_its_time_level_and_logger() -> None:
    done = run_program(PROGRAM, "info", "json")
    assert (done.returncode, done.stdout) == (0, "")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "text_received",
        "the link to carrier is down",
        "call_missed",
        "lane_defect",
    ]
    assert all(line["timestamp"].endswith("Z") and {"level", "logger"} <= line.keys() for line in lines)
    assert (lines[0]["sender"], lines[0]["level"], lines[0]["logger"]) == ("…0142", "info", "texts")
    assert (lines[1]["level"], lines[1]["logger"]) == ("warning", "sms_gateway.smpp")
    assert lines[2]["call_id"] == "1764.5"
    assert "ZeroDivisionError: division by zero" in lines[3]["exception"]


def test_plain_lines_are_for_people_and_into_a_file_without_colours() -> None:
    done = run_program(PROGRAM, "debug", "plain")
    assert done.returncode == 0
    assert "\x1b" not in done.stderr
    lines = done.stderr.splitlines()
    assert "text_received" in lines[0]
    assert "sender=…0142" in lines[0]
    assert "details" in lines[1]
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "GET /health" not in done.stderr, "access logs are quiet at any level"


WORST = """
import logging, os, structlog, sys
from ari_app.log import configure
reader, writer = os.pipe()
os.close(reader)
for target, how in ((open("/dev/full", "w", buffering=1), "full"), (os.fdopen(writer, "w", buffering=1), "gone")):
    configure("info", as_json=sys.argv[1] == "json", stream=target)
    for _ in range(3):
        structlog.get_logger(how).info("a_line", n=1)
        logging.getLogger("sms_gateway").warning("another line")
    print("still here")
"""


@pytest.mark.parametrize("form", ["json", "plain"])
def test_a_full_disk_or_a_reader_that_has_gone_costs_lines_and_nothing_else(form: str) -> None:
    done = run_program(WORST, form)
    assert done.stdout == "still here\nstill here\n"


def test_what_cannot_be_written_as_json_is_shown_as_python_would() -> None:
    program = (
        'import structlog; from ari_app.log import configure; configure("info", as_json=True);'
        ' structlog.get_logger("a").info("seen", what={1, }, cut="\\ud83d")'
    )
    line = json.loads(run_program(program).stderr)
    assert (line["what"], line["cut"]) == ("{1}", "\ud83d")


TOGETHER = """
import logging, structlog, sys, threading
from ari_app.log import configure
configure("info", as_json=True)
def ours():
    for n in range(300): structlog.get_logger("ours").info("line", n=n, text="x" * 200)
def theirs():
    for n in range(300): logging.getLogger("theirs").info("line %d", n)
threads = [threading.Thread(target=each) for each in (ours, theirs, ours, theirs)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_and_libraries_write_whole_lines() -> None:
    lines = [json.loads(line) for line in run_program(TOGETHER).stderr.splitlines()]
    assert sorted(line["logger"] for line in lines) == ["ours"] * 600 + ["theirs"] * 600
