"""What can go wrong in this package.

    VoiceAgentError
    ├── EngineError                      .engine: which recogniser, voice or detector
    │   ├── EngineMissingError           LookupError    ask a person: .mend says what to install or to configure
    │   ├── EngineFailedError            RuntimeError   give this utterance up; the next one may succeed
    │   └── EngineOverloadedError        TimeoutError   give this utterance up; there are too many calls for this machine
    ├── MediaUnavailableError            ConnectionError give the call up: its audio could not be opened
    └── AudioFormatError                 ValueError     ask a person: .path holds audio that cannot be used

Once audio is open, its end is no error: it arrives as ``MediaEnded``.
"""

from __future__ import annotations

from pathlib import Path


class VoiceAgentError(Exception):
    """Everything that this package raises on purpose."""


class EngineError(VoiceAgentError):
    """A speech engine cannot do its work. ``engine`` is its name, such as ``vosk``."""

    def __init__(self, engine: str, what: str) -> None:
        super().__init__(f"{engine}: {what}")
        self.engine = engine


class EngineMissingError(EngineError, LookupError):
    """A program, module or model is not there or cannot be used. ``mend`` tells a person what to do."""

    def __init__(self, engine: str, what: str, mend: str) -> None:
        super().__init__(engine, f"{what}; {mend}")
        self.mend = mend


class EngineFailedError(EngineError, RuntimeError):
    """The engine broke, or took too long, on one piece of work."""


class EngineOverloadedError(EngineError, TimeoutError):
    """The engine is ``behind_seconds`` of audio behind the caller."""

    def __init__(self, engine: str, behind_seconds: float) -> None:
        super().__init__(engine, f"{behind_seconds:.1f} s behind the caller")
        self.behind_seconds = behind_seconds


class MediaUnavailableError(VoiceAgentError, ConnectionError):
    """The audio of a call could not be opened at ``where``."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"no audio from {where}: {why}")
        self.where = where


class AudioFormatError(VoiceAgentError, ValueError):
    """The audio in ``path`` is not what is needed."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
