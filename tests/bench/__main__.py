"""``scripts/bench NAME``: one measurement with its machine, its control probe and its sentences."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.machine import Machine

BENCHES = {
    "missed-calls": "SIPp rings 20 times a second, 300 phones at once: from the third ring to the commit, and to the text.",
    "smpp": "Our SMPP client beside smpplib, aiosmpplib and smpp34's, on the same SMSC.",
    "durable-texts": "Texts a second through journal, outbox, SMPP and back, every step synced to disk.",
    "scale": "What one missed call and the usual questions take among 1,000 leads, and among 1,000,000.",
    "chaos": "The worst day: everything is killed, cut, stopped and filled under load, and nobody may be lost.",
}


def main(words: list[str]) -> int:
    """The exit status: 0, or 2 for words that are no command."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures, on this machine.")
    parser.add_argument("name", nargs="?", choices=list(BENCHES), metavar="NAME")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write every figure here; without FILE, to standard output"
    )
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works: no figures to quote")
    parser.add_argument("--minutes", type=float, default=5.0, help="of chaos")
    parser.add_argument("--seed", type=int, default=1, help="of chaos: which faults when, and who answers")
    arguments = parser.parse_args(words)
    told = sys.stderr if arguments.json == "-" else sys.stdout  # standard output is then JSON and nothing else
    console = Console(file=told, highlight=False, width=None if told.isatty() else 120)
    if arguments.name is None:
        console.print("Usage: scripts/bench NAME [--json [FILE]] [--quick]\n")
        for name, sentence in BENCHES.items():
            console.print(f"  {name:14} {sentence}")
        return 0
    machine = Machine.here()
    console.print(f"Machine: {machine.sentence()}.")
    if machine.load > machine.cores / 4:
        console.print("[yellow]The machine has other work to do: its figures will say so, too.[/]")
    bench: Any = import_module(f"tests.bench.{arguments.name.replace('-', '_')}")
    of_chaos = {"minutes": arguments.minutes, "seed": arguments.seed} if arguments.name == "chaos" else {}
    result = bench.bench(console, quick=arguments.quick, **of_chaos)
    if arguments.json is not None:
        facts = {
            "bench": arguments.name,
            "quick": arguments.quick,
            "machine": asdict(machine),
            "result": asdict(result),
        }
        written = json.dumps(facts, indent=1) + "\n"
        if arguments.json == "-":
            sys.stdout.write(written)
        else:
            Path(arguments.json).write_text(written)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
