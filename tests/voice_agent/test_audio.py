"""The format of audio, G.711, levels, frames."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tones import tone
from voice_agent.audio import (
    FRAME_BYTES,
    QUIETEST_DBFS,
    SAMPLE,
    FrameSplitter,
    dbfs,
    decode_alaw,
    decode_ulaw,
    encode_alaw,
    encode_ulaw,
    from_dbfs,
    normalise,
    peak,
    rms,
    samples_of,
    seconds_of,
    silence,
    speech_level,
    trim,
)

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768).astype(SAMPLE).tobytes()


def sox(data: bytes, *, given: tuple[str, ...], wanted: tuple[str, ...]) -> bytes:
    """Somebody else's G.711."""
    form = ("-r", "8000", "-c", "1")
    command = ["sox", "-D", "-t", *given, *form, "-", "-t", *wanted, *form, "-"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


LINEAR = ("raw", "-e", "signed", "-b", "16")


def test_mu_law_is_decoded_as_sox_decodes_it() -> None:
    assert decode_ulaw(EVERY_CODE) == sox(EVERY_CODE, given=("ul",), wanted=LINEAR)


def test_a_law_is_decoded_as_sox_decodes_it() -> None:
    assert decode_alaw(EVERY_CODE) == sox(EVERY_CODE, given=("al",), wanted=LINEAR)


@pytest.mark.parametrize(
    ("encode", "decode", "name"), [(encode_ulaw, decode_ulaw, "ul"), (encode_alaw, decode_alaw, "al")]
)
def test_every_sample_becomes_the_nearest_code_or_one_as_near_as_sox_chooses(encode, decode, name) -> None:  # type: ignore[no-untyped-def]
    ours = samples_of(decode(encode(EVERY_SAMPLE))).astype(int)
    theirs = samples_of(decode(sox(EVERY_SAMPLE, given=LINEAR, wanted=(name,)))).astype(int)
    wanted = samples_of(EVERY_SAMPLE).astype(int)
    assert (np.abs(ours - wanted) <= np.abs(theirs - wanted)).all()


@given(st.binary())
def test_what_was_decoded_encodes_to_the_same_sound(codes: bytes) -> None:
    assert decode_ulaw(encode_ulaw(decode_ulaw(codes))) == decode_ulaw(codes)
    assert encode_alaw(decode_alaw(codes)) == codes


def test_silence_is_coded_as_lines_expect_it() -> None:
    assert encode_ulaw(silence(0.001)) == b"\xff" * 8
    assert encode_alaw(silence(0.001)) == b"\xd5" * 8


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of element size"):
        samples_of(b"\0")


def test_levels_of_a_sine_are_those_of_the_textbook() -> None:
    sine = tone(1000, 1.0, amplitude=16384)
    assert peak(sine) == 16384
    assert dbfs(peak(sine)) == pytest.approx(-6.02, abs=0.01)
    assert dbfs(rms(sine)) == pytest.approx(-9.03, abs=0.01)
    assert from_dbfs(dbfs(1234.0)) == pytest.approx(1234.0)


def test_silence_and_nothing_have_the_lowest_level() -> None:
    for pcm in (b"", silence(0.1)):
        assert rms(pcm) == 0.0
        assert peak(pcm) == 0
        assert dbfs(rms(pcm)) == QUIETEST_DBFS
        assert speech_level(pcm) == 0.0


def test_the_loudest_sample_has_no_overflow() -> None:
    assert peak(np.array([-32768], SAMPLE).tobytes()) == 32768


def test_trimming_leaves_a_little_silence_at_both_ends() -> None:
    trimmed = trim(silence(0.5) + tone(300, 1.0) + silence(0.7), keep_seconds=0.06)
    assert seconds_of(trimmed) == pytest.approx(1.12, abs=0.021)
    assert rms(trimmed[:800]) < 1 < rms(trimmed[1000:1800])


def test_trimming_silence_leaves_nothing() -> None:
    assert trim(silence(1.0)) == b""
    assert trim(b"") == b""


def test_speech_is_brought_to_its_level_whatever_the_pauses() -> None:
    quiet = tone(300, 1.0, amplitude=500)
    for pcm in (quiet, quiet + silence(3.0), silence(0.4) + quiet + silence(1.0) + quiet):
        assert dbfs(speech_level(normalise(pcm))) == pytest.approx(-20.0, abs=0.1)


def test_speech_with_high_peaks_is_left_quieter_instead_of_clipped() -> None:
    clicks = np.zeros(8000, SAMPLE)
    clicks[::400] = 3000
    loud = normalise(clicks.tobytes())
    assert dbfs(peak(loud)) == pytest.approx(-3.0, abs=0.1)
    assert dbfs(speech_level(loud)) < -20.0


def test_silence_stays_silence() -> None:
    assert normalise(silence(0.2)) == silence(0.2)


@given(st.lists(st.binary(max_size=1000)))
def test_frames_are_whole_and_lose_nothing_however_the_stream_is_cut(pieces: list[bytes]) -> None:
    splitter = FrameSplitter()
    frames = [frame for piece in pieces for frame in splitter.push(piece)]
    assert all(len(frame) == FRAME_BYTES for frame in frames)
    last = splitter.finish()
    assert all(len(frame) == FRAME_BYTES for frame in last)
    stream = b"".join(pieces)
    joined = b"".join(frames + last)
    assert joined[: len(stream)] == stream
    assert joined[len(stream) :] == bytes(len(joined) - len(stream))
    assert splitter.finish() == []
