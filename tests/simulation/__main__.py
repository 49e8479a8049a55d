"""``python -m tests.simulation``: many seeded days, one after the other or on all cores; a seed that fails tells its story."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from tests.simulation.world import Day, simulate

CHUNK = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds (default: %(default)s)")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="F", help="the first seed (default: 0)")
    parser.add_argument("--seed", type=int, help="this seed alone, with its whole story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    given = parser.parse_args()
    if given.seed is not None:
        day = simulate(given.seed, telling=True)
        sys.stdout.write(report(day) if day.violations else str(day.story))
        return 1 if day.violations else 0
    return many(range(given.first, given.first + given.seeds), given.jobs)


def many(seeds: range, jobs: int) -> int:
    """Run them; 1 when one has failed."""
    began = time.perf_counter()
    steps = texts = deaths = 0
    failed: list[int] = []
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, day in enumerate(pool.imap_unordered(simulate, seeds, CHUNK), start=1):
            steps, texts, deaths = steps + day.steps, texts + day.texts, deaths + day.processes - 1
            if day.violations:
                failed.append(day.seed)
                sys.stdout.write(report(simulate(day.seed, telling=True)))
            if done % 100 == 0 or done == len(seeds):
                rate = done / (time.perf_counter() - began)
                progress = f"{done}/{len(seeds)} seeds, {rate:.0f}/s, {steps} events, {texts} texts, {deaths} deaths"
                sys.stderr.write(f"\r{progress}, {len(failed)} failed")
    sys.stderr.write("\n")
    if failed:
        sys.stdout.write(f"failed: {' '.join(map(str, sorted(failed)))}\n")
    return 1 if failed else 0


def report(day: Day) -> str:
    """A violated invariant: the story up to it, and how to see it again."""
    found = "\n".join(f"  {one}" for one in day.violations) or "  nothing, this time: the seed does not reproduce"
    return (
        f"{day.story or ''}\nseed {day.seed} violates:\n{found}\nagain: python -m tests.simulation --seed {day.seed}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
