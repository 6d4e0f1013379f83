"""Does the interval hold the truth beside busy processes? Ratios of latency, quiet and loaded.

    python benchmarks/load.py [--runs 20] [--loops 0 1 2 4 12] [--model mobilenet-v2]

Each run is an ordinary `mobilebench run` of a model's float32 and int8 files, beside so many busy
loops. Every loop has a session of its own: within one session the kernel's autogroup would hide
them. The numbers of loops take turns, in an order drawn anew each time, and the truth is the median
ratio of the quiet runs. A run either claims an interval or withholds it with a reason; what counts
is that a claim holds the truth.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import MOBILEBENCH, heading, zoo

_RECIPES = ["float32", "int8"]


@dataclass(frozen=True)
class Found:
    """What one run says of the second file's speed; ``ratio`` is None where nothing is claimed."""

    ratio: float | None
    low: float
    high: float
    reason: str

    def holds(self, truth: float) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= truth <= self.high


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many busy processes, each in a session of its own."""
    processes = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(loops)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run(files: Sequence[Path], blocks: int, seconds: float, results: Path) -> Found:
    """One ordinary run of two files."""
    options = ["--blocks", str(blocks), "--seconds", str(seconds), "--results", str(results)]
    done = subprocess.run(
        [MOBILEBENCH, "run", *map(str, files), *options, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    (row,) = [row for row in json.loads(done.stdout)["rows"] if row["recipe"] != row["baseline"]]
    ratio = row["speedup"]
    return Found(
        ratio, row["speedup_low"] or 0, row["speedup_high"] or 0, row["speedup_reason"] or ""
    )


def line(loops: int, found: Sequence[Found], truth: float) -> str:
    """A row of the table."""
    claims = [one for one in found if one.ratio is not None]
    ratios = [one.ratio for one in claims if one.ratio is not None]
    shown = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "—"
    held = sum(one.holds(truth) for one in claims)
    return f"{loops:>5}{len(found):>6}{len(claims):>8}{held:>13}   {shown}"


def main() -> None:
    """Prints a row a number of loops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--loops", type=int, nargs="+", default=[0, 1, 2, 4, 12])
    parser.add_argument("--model", default="mobilenet-v2", help="of the zoo")
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    if 0 not in arguments.loops:
        parser.error("--loops must have 0: the quiet runs are the truth")
    heading(f"Load: {arguments.model}, {' over '.join(_RECIPES)}, beside busy loops", quiet=True)
    found: dict[int, list[Found]] = {loops: [] for loops in arguments.loops}
    order = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        files = list(zoo(arguments.model, _RECIPES, Path(folder)).values())
        for number in range(arguments.runs):
            for loops in order.sample(arguments.loops, len(arguments.loops)):
                with busy(loops):
                    results = Path(folder, f"{number}-{loops}")
                    one = run(files, arguments.blocks, arguments.seconds, results)
                found[loops].append(one)
                said = (
                    f"{one.ratio:.3f} [{one.low:.3f}, {one.high:.3f}]" if one.ratio else one.reason
                )
                print(f"run {number + 1}, {loops} loops: {said}", file=sys.stderr, flush=True)
    quiet = [one.ratio for one in found[0] if one.ratio is not None]
    if not quiet:
        sys.exit("no quiet run claimed anything: the machine is busy")
    truth = statistics.median(quiet)
    print(f"truth {truth:.3f}, the median of {len(quiet)} quiet runs\n")
    print("loops  runs  claims  hold the truth   ratios claimed")
    for loops, some in found.items():
        print(line(loops, some, truth))


if __name__ == "__main__":
    main()
