"""Writes a weighted transducer in OpenFst's binary form, as Kaldi reads it: a vector FST over the tropical semiring."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

EPSILON = 0


@dataclass
class Fst:
    """States are numbered from 0, the start. Weights are costs: minus the logarithm of a probability."""

    arcs: list[list[tuple[int, int, float, int]]] = field(default_factory=list)
    finals: dict[int, float] = field(default_factory=dict)

    def state(self) -> int:
        self.arcs.append([])
        return len(self.arcs) - 1

    def arc(self, source: int, takes: int, gives: int, cost: float, target: int) -> None:
        self.arcs[source].append((takes, gives, cost, target))

    def to_bytes(self) -> bytes:
        def text(name: bytes) -> bytes:
            return struct.pack("<i", len(name)) + name

        count = sum(map(len, self.arcs))
        # Magic number, kind of FST and of arc, version 2, no symbol tables, expanded and mutable, start, sizes.
        data = [
            struct.pack("<i", 2125659606) + text(b"vector") + text(b"standard"),
            struct.pack("<iiQqqq", 2, 0, 3, 0, len(self.arcs), count),
        ]
        for number, arcs in enumerate(self.arcs):
            data.append(struct.pack("<fq", self.finals.get(number, math.inf), len(arcs)))
            data.extend(struct.pack("<iifi", *arc) for arc in arcs)
        return b"".join(data)
