"""How the agent behaves. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from voice_agent.turns import TurnOptions

BACKCHANNELS = frozenset("hello hi hey yes yeah yep okay ok right sure mm hmm mhm huh uh um ah oh".split())
"""Words that show that somebody listens, and interrupt nobody."""


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """longest_seconds: the conversation ends then, whatever is going on.

    speech_barge_in: the caller may interrupt by speaking, once ``Turn.protected`` sentences are said, with
    ``barge_in_seconds`` of speech louder than ``barge_in_dbfs`` (the line may echo our own voice) and a word that is no
    backchannel. Keys always interrupt.
    noise_seconds: shorter sounds in which nothing is understood count as noise, not as an answer.
    """

    longest_seconds: float = 180.0
    speech_barge_in: bool = True
    barge_in_seconds: float = 0.25
    barge_in_dbfs: float = -38.0
    noise_seconds: float = 0.25
    backchannels: frozenset[str] = BACKCHANNELS
    turns: TurnOptions = TurnOptions()
