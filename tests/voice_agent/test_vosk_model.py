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


@pytest.mark.parametrize(
    ("conf", "rate"),
    [
        ("--sample-frequency=8000\n", 8000),
        ("--num-ceps=40\n--sample-frequency=16000\n", 16000),
        ("--sample-frequency=16000\n--allow-upsample=true\n", 8000),
        ("--num-ceps=40\n", 16000),
    ],
)
def test_a_model_is_given_samples_at_the_rate_that_it_takes(conf: str, rate: int, folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    (model / "conf/mfcc.conf").write_text(mfcc.NARROW.conf.split("\n", 1)[1] + conf)
    assert VoskModel(model).rate == rate


def test_a_model_for_another_rate_is_refused(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    (model / "conf/mfcc.conf").write_text("--sample-frequency=44100")
    with pytest.raises(EngineMissingError, match="wants 44100 Hz, not 8000 or 16000"):
        VoskModel(model)


def test_a_model_may_have_its_files_in_one_folder_as_older_ones_do(folder: Path, tmp_path: Path) -> None:
    for part in ("am/final.mdl", "graph/HCLG.fst", "graph/words.txt", "conf/mfcc.conf"):
        shutil.copy(folder / part, tmp_path)
    model = VoskModel(tmp_path)
    assert model.rate == 8000
    assert model.knows("buying")


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
    assert mfcc.NARROW.mfcc(np.zeros(199, np.int16)).shape == (0, 40)
    assert mfcc.NARROW.mfcc(np.ones(8000, np.int16)).shape == (98, 40)
    assert mfcc.WIDE.mfcc(np.ones(16000, np.int16)).shape == (98, 40)
