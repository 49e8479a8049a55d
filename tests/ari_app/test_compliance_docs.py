"""docs/compliance.md and docs/glossary.md against the code: every rule is explained, every word is defined."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ari_app.recovery.keywords import keyword
from ari_app.recovery.values import Keyword
from ari_app.settings.document import Document

ROOT = Path(__file__).parents[2]
COMPLIANCE = (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
_RULE = re.compile(r"\b[A-Z]{2,4}-\d\d\b")
_ROW = re.compile(r"^\| ([A-Z]{2,4}-\d\d) \| (.+) \| (.+) \|$", re.MULTILINE)


def strings(path: Path) -> Iterator[str]:
    """All text in a Python file, docstrings included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def rules_in_the_code() -> set[str]:
    found = {
        rule for path in (ROOT / "ari_app").rglob("*.py") for text in strings(path) for rule in _RULE.findall(text)
    }
    comments = {
        rule
        for path in (ROOT / "ari_app" / "recovery").glob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        for rule in _RULE.findall(line.partition("#")[2])
    }
    return found | comments


def test_every_rule_in_the_code_is_explained_and_every_explained_rule_is_in_the_code() -> None:
    assert {row[0] for row in _ROW.findall(COMPLIANCE)} == rules_in_the_code()


def test_every_rule_is_explained_once_with_what_is_done_and_where_it_comes_from() -> None:
    rows = _ROW.findall(COMPLIANCE)
    assert len({row[0] for row in rows}) == len(rows)
    for rule, done, source in rows:
        assert len(done.split()) >= 5, rule
        assert source.strip(), rule


def test_rules_that_decide_are_all_of_the_documented_form() -> None:
    """What a decision names is a rule of the table, or PLAN for the plan's own course."""
    named = set()
    for path in (ROOT / "ari_app" / "recovery").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                "Refuse",
                "Allow",
                "Hold",
                "explain",
            ):
                texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                named |= {text for text in texts if text.isupper()}
    assert named
    assert {name for name in named if _RULE.fullmatch(name) is None} <= {"PLAN"}


def test_words_that_the_document_promises_to_obey_are_obeyed() -> None:
    row = next(done for rule, done, _ in _ROW.findall(COMPLIANCE) if rule == "REV-01")
    words = re.findall(r"`([A-Z ]+)`", row)
    assert len(words) >= 7
    assert {keyword(word) for word in words} == {Keyword.STOP}


def test_settings_that_the_document_names_exist() -> None:
    for path in re.findall(r"`([a-z_]+\.[a-z_]+)`", COMPLIANCE):
        section, name = path.split(".")
        field = Document.model_fields.get(section)
        assert field is not None, path
        assert name in getattr(field.annotation, "model_fields", {}), path


@pytest.mark.parametrize("document", [COMPLIANCE, GLOSSARY], ids=["compliance", "glossary"])
def test_files_that_a_document_names_exist(document: str) -> None:
    for path in re.findall(r"`((?:ari_app|sms_gateway|voice_agent)[\w/.]*)`", document):
        assert (ROOT / path).exists(), path


WORDS = """
lead · missed call · abandoned · text-back · follow-up · callback · engaged · acknowledge · escalation · tier · round robin ·
disposition · consent · opt-out · opt-in · DNC · quiet hours · business hours · DID · tracking number · trunk · endpoint ·
AOR · contact · ring group · leg · channel · bridge · linkedid · uniqueid · Stasis app · external media · CDR · ESME · SMSC ·
bind · MT · MO · DLR · PDU · window · segment · UDH · utterance · turn · VAD · endpointing · barge-in · partial · final ·
prompt · event · command · effect · outcome · journal · snapshot · outbox · timer · deadline · lease · in doubt · source id
"""


def test_every_word_of_the_project_is_defined_once() -> None:
    defined = re.findall(r"\*\*([^*]+)\*\*", GLOSSARY)
    assert len(defined) == len(set(defined))
    assert set(" ".join(WORDS.split()).split(" · ")) <= set(defined)


def test_every_definition_says_something() -> None:
    for term, meaning in re.findall(r"^\* \*\*([^*]+)\*\*: (.+)$", GLOSSARY, re.MULTILINE):
        assert len(meaning.split()) >= 3, term
