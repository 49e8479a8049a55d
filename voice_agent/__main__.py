"""``python -m voice_agent``: tries the engines and a conversation with WAV files. Uses no telephone.

    python -m voice_agent engines
    python -m voice_agent say "Are you buying, or selling?" --out question.wav
    python -m voice_agent hear answer.wav
    python -m voice_agent talk --wav answer.wav [--wav another.wav] [--out conversation.wav]

Exit codes: 0 done; 2 wrong arguments; 3 an engine is missing or failed; 4 a WAV file cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from voice_agent.agent import VoiceAgent
from voice_agent.audio import seconds_of
from voice_agent.conversation import Conversation
from voice_agent.demonstration import HINTS, Demonstration
from voice_agent.engines import EngineOptions, available_engines, open_engines, open_stt, open_tts
from voice_agent.errors import AudioFormatError, EngineError
from voice_agent.media_loop import LoopMedia
from voice_agent.wav import read_wav, write_wav


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


async def talk(options: EngineOptions, answers: list[bytes], out: Path | None) -> str:
    """Holds the demonstration with a caller who says ``answers``, and describes it. Raises EngineError, OSError."""
    async with open_engines(options) as engines:
        await engines.stt.prepare(HINTS)
        media = LoopMedia(answers)
        conversation = await VoiceAgent(media, engines.stt, engines.tts, engines.detector()).converse(Demonstration())
    if out is not None:
        await asyncio.to_thread(write_wav, out, *media.both())
    return describe(conversation)


async def say(options: EngineOptions, text: str, out: Path) -> str:
    """Writes ``text`` as callers hear it into ``out``; tells how long that took. Raises EngineError, OSError."""
    loop = asyncio.get_running_loop()
    async with open_tts(options) as tts:
        begun, first, pieces = loop.time(), 0.0, []
        async for pcm in tts.speak(text):
            first = first or loop.time() - begun
            pieces.append(pcm)
        took = loop.time() - begun
    speech = b"".join(pieces)
    await asyncio.to_thread(write_wav, out, speech)
    return f"{tts.name}: {seconds_of(speech):.2f} s of speech in {took:.3f} s, the first of it after {first:.3f} s"


async def hear(options: EngineOptions, pcm: bytes) -> str:
    """What is understood of one utterance, and how long that took. Raises EngineError."""
    loop = asyncio.get_running_loop()
    async with open_stt(options) as stt:
        begun, caller = loop.time(), stt.listen()
        caller.accept(pcm)
        heard = await caller.final()
        took = loop.time() - begun
    confidence = "" if heard.confidence is None else f"  [{heard.confidence:.2f}]"
    text = heard.text or "(not understood)"
    return f"{text}{confidence}\n{stt.name}: {seconds_of(pcm):.2f} s of audio in {took:.3f} s"


def command_line() -> argparse.ArgumentParser:
    """Commands and options."""
    parser = argparse.ArgumentParser(prog="voice_agent", description="Speech engines, and a spoken conversation.")
    language = argparse.ArgumentParser(add_help=False)
    language.add_argument("--language", default="en", help="such as en, en-gb or es")
    ears = argparse.ArgumentParser(add_help=False)
    ears.add_argument("--stt", choices=("auto", "pocketsphinx", "vosk"), default="auto")
    ears.add_argument("--model", type=Path, help="the folder of a Vosk model")
    voice = argparse.ArgumentParser(add_help=False)
    voice.add_argument("--tts", choices=("auto", "flite", "espeak-ng", "piper"), default="auto")
    voice.add_argument("--voice", type=Path, help="the .onnx file of a Piper voice")

    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("engines", help="which speech engines are installed")
    saying = commands.add_parser("say", parents=[voice, language], help="write a text as speech")
    saying.add_argument("text")
    saying.add_argument("--out", type=Path, required=True, help="the WAV file")
    hearing = commands.add_parser("hear", parents=[ears, language], help="write down what is said in a WAV file")
    hearing.add_argument("wav", type=Path)
    talking = commands.add_parser(
        "talk", parents=[ears, voice, language], help="hold a small conversation with WAV files, in real time"
    )
    talking.add_argument(
        "--wav", type=Path, action="append", default=[], help="what the caller says next; may be repeated"
    )
    talking.add_argument("--out", type=Path, help="write a recording: the caller left, the agent right")
    return parser


def run(given: argparse.Namespace) -> str:
    """Does what was asked; the answer. Raises EngineError, AudioFormatError, OSError."""
    if given.command == "engines":
        found = available_engines().items()
        return "\n".join(f"{name:13}{'installed' if there else 'not installed'}" for name, there in found)
    asked = vars(given)
    options = EngineOptions(
        stt=asked.get("stt", "auto"),
        vosk_model=asked.get("model"),
        tts=asked.get("tts", "auto"),
        piper_voice=asked.get("voice"),
        language=given.language,
    )
    match given.command:
        case "say":
            return asyncio.run(say(options, given.text, given.out))
        case "hear":
            return asyncio.run(hear(options, read_wav(given.wav)))
    return asyncio.run(talk(options, [read_wav(path) for path in given.wav], given.out))


def main(arguments: list[str] | None = None) -> int:
    """The exit code. Raises SystemExit when the arguments are wrong."""
    given = command_line().parse_args(arguments)
    try:
        answer = run(given)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except (AudioFormatError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 4
    sys.stdout.write(answer + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
