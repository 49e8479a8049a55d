"""``python -m voice_agent``: talks to WAV files, or tells which engines are there. Uses no telephone.

    python -m voice_agent talk --wav answer.wav [--wav another.wav] [--out conversation.wav]
    python -m voice_agent engines

Exit codes: 0 done; 2 wrong arguments; 3 an engine is missing or failed; 4 a WAV file cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import wave
from pathlib import Path

import numpy as np

from voice_agent.agent import VoiceAgent
from voice_agent.audio import RATE, SAMPLE, samples_of
from voice_agent.conversation import Conversation
from voice_agent.demonstration import HINTS, Demonstration
from voice_agent.engines import EngineOptions, available_engines, open_engines
from voice_agent.errors import AudioFormatError, EngineError
from voice_agent.media_loop import LoopMedia
from voice_agent.resample import to_telephone


def read_wav(path: Path) -> bytes:
    """The audio in our format. Raises AudioFormatError when it is not a readable WAV file of 16-bit samples."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise AudioFormatError(path, str(error) or type(error).__name__) from error
    if width != 2:
        raise AudioFormatError(path, f"expected 16-bit samples, got {8 * width}-bit")
    mono = np.frombuffer(data, SAMPLE).reshape(-1, channels).mean(axis=1).astype(SAMPLE)
    return to_telephone(mono.tobytes(), rate)


def write_stereo(path: Path, left: bytes, right: bytes) -> None:
    """Two equally long tracks. Raises OSError."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack([samples_of(left), samples_of(right)], axis=1).tobytes())


def describe(conversation: Conversation) -> str:
    """The transcript with times, and how soon the agent spoke."""
    lines = [
        f"{line.started_seconds:6.2f} {line.ended_seconds:6.2f}  {line.speaker.value:6}  "
        + (line.text or "(not understood)")
        + (" (cut)" if line.cut else "")
        + (f"  [{line.confidence:.2f}]" if line.confidence is not None else "")
        for line in conversation.transcript
    ]
    lines += [f"{key.at_seconds:6.2f}         caller  pressed {key.digit}" for key in conversation.keys]
    lines.append(f"ended by {conversation.ended_by.value} after {conversation.seconds:.1f} s")
    for timing in conversation.timings:
        parts = f"{timing.endpoint_seconds:.3f} + {timing.recognise_seconds:.3f} + {timing.speak_seconds:.3f}"
        lines.append(f"spoke {timing.total_seconds:.3f} s after {timing.after} (end of turn {parts})")
    lines += [f"fault: {fault}" for fault in conversation.faults]
    return "\n".join(lines)


async def talk(options: EngineOptions, answers: list[bytes], out: Path | None) -> Conversation:
    """Holds the demonstration with a caller who says ``answers``. Raises EngineError, OSError."""
    async with open_engines(options) as engines:
        await engines.stt.prepare(HINTS)
        media = LoopMedia(answers)
        conversation = await VoiceAgent(media, engines.stt, engines.tts, engines.detector()).converse(Demonstration())
    if out is not None:
        await asyncio.to_thread(write_stereo, out, *media.both())
    return conversation


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="voice_agent", description="A spoken conversation, without a telephone.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("engines", help="which speech engines are installed")
    talking = commands.add_parser("talk", help="hold a small conversation with WAV files, in real time")
    talking.add_argument(
        "--wav", type=Path, action="append", default=[], help="what the caller says next; may be repeated"
    )
    talking.add_argument("--out", type=Path, help="write a recording: the caller left, the agent right")
    talking.add_argument("--stt", choices=("auto", "pocketsphinx", "vosk"), default="auto")
    talking.add_argument("--model", type=Path, help="the folder of a Vosk model")
    talking.add_argument("--tts", choices=("auto", "flite", "espeak-ng", "piper"), default="auto")
    talking.add_argument("--voice", type=Path, help="the .onnx file of a Piper voice")
    given = parser.parse_args(arguments)
    if given.command == "engines":
        for name, there in available_engines().items():
            sys.stdout.write(f"{name:13}{'installed' if there else 'not installed'}\n")
        return 0
    options = EngineOptions(stt=given.stt, vosk_model=given.model, tts=given.tts, piper_voice=given.voice)
    try:
        answers = [read_wav(path) for path in given.wav]
        conversation = asyncio.run(talk(options, answers, given.out))
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except (AudioFormatError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 4
    sys.stdout.write(describe(conversation) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
