"""Which folders are Vosk models, and what our own small one is made of."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.voice_agent.models import mfcc
from tests.voice_agent.models.openfst import Fst
from tests.voice_agent.models.vosk_model import cached_vosk_model
from voice_agent.errors import EngineMissingError
from voice_agent.stt_vosk import VoskModel

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def folder() -> Path:
    return cached_vosk_model()


def test_a_folder_without_a_model_is_named_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(EngineMissingError, match=r"no model in .*; unpack a model from Vosk's list there"):
        VoskModel(tmp_path)


def test_a_broken_model_is_an_error_and_not_the_end_of_the_process(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    (broken / "am/final.mdl").write_text("rubbish")
    with pytest.raises(EngineMissingError, match="cannot be loaded"):
        VoskModel(broken)


def test_without_the_package_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vosk", None)
    with pytest.raises(EngineMissingError, match="install the Python package vosk"):
        VoskModel(folder)


# ------------------------------------------------------------------------------------------------- what the model is made of
def test_a_transducer_is_written_as_openfst_reads_it() -> None:
    graph = Fst()
    first, second = graph.state(), graph.state()
    graph.arc(first, 3, 4, 0.5, second)
    graph.finals[second] = 0.0
    assert graph.to_bytes() == bytes.fromhex(
        "d6fdb27e 06000000 766563746f72 08000000 7374616e64617264 02000000 00000000"
        "0300000000000000 0000000000000000 0200000000000000 0100000000000000"
        "0000807f 0100000000000000 03000000 04000000 0000003f 01000000"
        "00000000 0000000000000000"
    )


def test_features_have_a_row_for_each_whole_window() -> None:
    assert mfcc.mfcc(np.zeros(199, np.int16)).shape == (0, 40)
    assert mfcc.mfcc(np.ones(8000, np.int16)).shape == (98, 40)
