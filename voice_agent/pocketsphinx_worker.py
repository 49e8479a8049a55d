"""A process that decodes one utterance at a time with pocketsphinx: ``python -m voice_agent.pocketsphinx_worker``.

A process, because pocketsphinx holds Python's interpreter lock while it computes, which would stop the audio of every
call, and because its library ends the process on some errors. It knows nothing of calls. Orders come on standard input,
each is answered on standard output: a letter, the length of what follows (4 bytes, big-endian), and what follows.

    order                              answer
    P phrases (JSON)                   R phrases that cannot be pronounced (JSON)
    B {"phrases": …, "memory": …}      R
    A audio, 8 kHz                     T partial text
    E                                  F {"text", "words", "memory"} (JSON)
    X drop the utterance               R
                                       ! what went wrong, instead of any of these

The general language model listens, with every expected phrase added to it as one long word of ten thousand times a common
word's weight. So an expected answer is found even where the model alone hears something likelier ("fine" for "buying"), and
everything else is still written down instead of being forced into an answer, as a grammar would.
"""

from __future__ import annotations

import itertools
import json
import signal
import struct
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from voice_agent.dialogue import plain
from voice_agent.wideband import Widener

HEADER = struct.Struct(">cI")

PHRASE_WEIGHT = 1e4
"""How much likelier an expected phrase is than a word of the general model. More finds more answers in other sentences."""

TELEPHONE_MEAN = "41.0,2.0,-9.0,13.5,-6.5,-8.7,8.8,-16.0,3.4,-2.0,-3.3,8.4,-8.5"
"""Cepstral mean of speech that came through mu-law and ``wideband``, at -20 dBFS. The first utterance needs a start; after
it, the caller's own mean is remembered."""

_MOST_SEARCHES = 48
"""Sets of phrases that are kept ready."""
_MOST_PRONUNCIATIONS = 8
_FRAMES_A_SECOND = 100


class Worker:
    """The decoder and the searches made for sets of phrases."""

    def __init__(self) -> None:
        import pocketsphinx  # here, so that our parent can read HEADER without loading it

        self._library = pocketsphinx
        self._decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", cmninit=TELEPHONE_MEAN)
        self._searches: dict[tuple[str, ...], str] = {}
        self._tokens: dict[str, str] = {}
        self._count = itertools.count()
        self._widener = Widener()
        self._decoding = False

    # ------------------------------------------------------------------------------------------------------------ phrases
    def prepare(self, phrases: Sequence[str]) -> list[str]:
        """Makes a search that expects ``phrases``; returns those that hold words of no known pronunciation."""
        wanted = tuple(sorted({plain(phrase) for phrase in phrases} - {""}))
        unknown = [phrase for phrase in wanted if not self._pronunciations(phrase)]
        if wanted not in self._searches:
            while len(self._searches) >= _MOST_SEARCHES:
                oldest = next(iter(self._searches))
                self._decoder.remove_search(self._searches.pop(oldest))
            path = self._library.get_model_path("en-us/en-us.lm.bin")
            model = self._library.NGramModel(self._decoder.config, self._decoder.logmath, path)
            for phrase in wanted:
                if phrase not in unknown:
                    model.add_word(self._token(phrase), PHRASE_WEIGHT)
            name = f"search-{next(self._count)}"
            self._decoder.add_lm(name, model)
            self._searches[wanted] = name
        self._decoder.activate_search(self._searches[wanted])
        return unknown

    def _token(self, phrase: str) -> str:
        """The word that stands for the whole phrase in dictionary and model."""
        token = phrase.replace(" ", "_") + "+"
        if token not in self._tokens:
            for number, sounds in enumerate(self._pronunciations(phrase), start=1):
                self._decoder.add_word(token if number == 1 else f"{token}({number})", sounds, False)
            self._tokens[token] = phrase
        return token

    def _pronunciations(self, phrase: str) -> list[str]:
        """Ways to say a phrase, as phones; none when a word is not in the dictionary."""
        ways = [self._word_pronunciations(word) for word in phrase.split()]
        return [" ".join(way) for way in itertools.islice(itertools.product(*ways), _MOST_PRONUNCIATIONS)]

    def _word_pronunciations(self, word: str) -> list[str]:
        names = (word if number == 1 else f"{word}({number})" for number in itertools.count(1))
        return [sounds for sounds in itertools.takewhile(bool, map(self._decoder.lookup_word, names)) if sounds]

    # --------------------------------------------------------------------------------------------------------- utterances
    def begin(self, phrases: Sequence[str], memory: str) -> None:
        """Starts an utterance. memory: what ``finish`` told of this caller's last one, or nothing."""
        self.drop()
        self.prepare(phrases)
        self._decoder.set_cmn(memory or TELEPHONE_MEAN)
        self._widener = Widener()
        self._decoder.start_utt()
        self._decoding = True

    def feed(self, pcm: bytes) -> str:
        """The partial text after this audio, at 8 kHz."""
        self._decoder.process_raw(self._widener.push(pcm))
        return self._text()

    def finish(self) -> dict[str, Any]:
        """The final text and words, and the memory. Raises RuntimeError when nothing was begun."""
        self._decoder.end_utt()
        self._decoding = False
        words = [
            {
                "text": self._tokens.get(word.word, word.word.split("(")[0]),
                "start": word.start_frame / _FRAMES_A_SECOND,
                "end": (word.end_frame + 1) / _FRAMES_A_SECOND,
                "confidence": min(1.0, word.prob),  # the word's share among the alternatives in its place
            }
            for word in (self._decoder.seg() or () if self._decoder.hyp() else ())
            if word.word[0] not in "<["
        ]
        return {"text": self._text(), "words": words, "memory": self._decoder.get_cmn()}

    def drop(self) -> None:
        """Ends the utterance, if there is one, without a result."""
        if self._decoding:
            self._decoder.end_utt()
            self._decoding = False

    def _text(self) -> str:
        found = self._decoder.hyp()
        return " ".join(self._tokens.get(word, word) for word in found.hypstr.split()) if found else ""

    # -------------------------------------------------------------------------------------------------------------- orders
    def obey(self, order: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Carries out one order; the answer's letter and what follows it."""
        match order:
            case b"P":
                return b"R", json.dumps(self.prepare(json.loads(body))).encode()
            case b"B":
                wish = json.loads(body)
                self.begin(wish["phrases"], wish["memory"])
                return b"R", b""
            case b"A":
                return b"T", self.feed(body).encode()
            case b"E":
                return b"F", json.dumps(self.finish()).encode()
            case b"X":
                self.drop()
                return b"R", b""
        raise ValueError(f"no such order: {order!r}")


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Until the orders end."""
    worker = Worker()
    while len(head := orders.read(HEADER.size)) == HEADER.size:
        order, length = HEADER.unpack(head)
        body = orders.read(length)
        if len(body) < length:
            return
        try:
            letter, answer = worker.obey(order, body)
        except (ValueError, RuntimeError, KeyError) as error:
            letter, answer = b"!", f"{type(error).__name__}: {error}".encode()
        answers.write(HEADER.pack(letter, len(answer)) + answer)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; the end of our orders ends us
    serve(sys.stdin.buffer, sys.stdout.buffer)
