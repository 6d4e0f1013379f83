"""Times per operator against the runtime's own profiler, on this machine.

    python benchmarks/operators.py                     all models, some ten minutes
    python benchmarks/operators.py --minutes 5         a piece; the next call goes on
    python benchmarks/operators.py --show              the tables of what was measured

``inspect --time --device`` times each operator alone; LiteRT's profiler times it within the whole
model. Without XNNPACK both have the file's operators, and are compared one by one. XNNPACK fuses
and splits: there the operators that multiply are compared, in their order, where both have as many.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import MOBILEBENCH, Journal, heading, zoo
from mobilebench import host
from mobilebench.devices.local.device import LocalDevice
from mobilebench.records.runtime import Runtime
from mobilebench.runs.operator_times import operator_times
from scipy.stats import spearmanr

_ZOO = {"mobilenet-v2": ["float32", "int8"], "ds-cnn": ["float32", "int8"]}
_TRANSFORMER = ["float32", "dynamic_int8"]
_PROFILER = Path(__file__).with_name("runtime_profile.py")
#: Fresh processes of the profiler; an operator's time is the median over them.
_PROFILES = 3
#: Deviations are named of operators with this share of the time at least.
_SHARE = 0.01

_OURS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV")
_XNNPACKS = ("Convolution", "Fully Connected", "Batch Matrix Multiply", "Deconvolution")
_COLUMNS = (
    "file",
    "XNNPACK",
    "distinct operators",
    "rank correlation",
    "largest deviation (of operators with 1 % of the time)",
    "of a share",
    "sum alone",
    "sum within",
    "model",
)


@dataclass(frozen=True)
class Pair:
    """Operators that are alike: what one takes alone, and within the model (microseconds)."""

    name: str
    alone: float
    within: float
    count: int


def make_files(folder: Path) -> None:
    """Makes the models' files, unless they are there."""
    for model, recipes in _ZOO.items():
        if not (folder / f"{model}.{recipes[-1]}.tflite").exists():
            zoo(model, recipes, folder)
    if not (folder / f"transformer.{_TRANSFORMER[-1]}.tflite").exists():
        source = folder / "transformer.keras"
        _transformer(source)
        command = [MOBILEBENCH, "compress", str(source), *_TRANSFORMER, "--into", str(folder)]
        subprocess.run([*command, "--data", "random"], check=True, stdout=subprocess.DEVNULL)


def _transformer(path: Path) -> None:
    """Two encoder layers of width 128 over 64 positions."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = taken = keras.Input((64, 128), name="sequence")
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 32)(x, x))
        hidden = layers.Dense(256, activation="relu")(x)
        x = layers.LayerNormalization()(x + layers.Dense(128)(hidden))
    keras.Model(taken, layers.Dense(10)(layers.GlobalAveragePooling1D()(x))).save(path)


def measured(file: Path, *, xnnpack: bool) -> dict[str, Any]:
    """A file's operators alone and within the model, and the whole model (microseconds)."""
    runtime = Runtime(name="cpu", xnnpack=xnnpack)
    with tempfile.TemporaryDirectory() as scratch:
        device = LocalDevice("here", None, Path(scratch))
        times = operator_times(device, file.read_bytes(), file.name, runtime, Path(scratch))
    extra = [] if xnnpack else ["--without-xnnpack"]
    profiles = [_profile(file, extra) for _ in range(_PROFILES)]
    within = [
        {**rows[0], "microseconds": sorted(row["microseconds"] for row in rows)[_PROFILES // 2]}
        for rows in zip(*profiles, strict=True)
    ]
    alone = [
        {"kind": row.operator.kind, "input": row.operator.inputs[0], "index": index,
         "microseconds": None if row.median_ns is None else row.median_ns / 1000}
        for row in times.rows
        for index in row.operator.indices
    ]  # fmt: skip
    return {
        "file": file.name,
        "xnnpack": xnnpack,
        "model": None if times.model_ns is None else times.model_ns / 1000,
        "alone": sorted(alone, key=lambda row: row["index"]),
        "within": within,
        "warnings": list(times.warnings),
    }


def _profile(file: Path, extra: Sequence[str]) -> list[dict[str, Any]]:
    command = [sys.executable, str(_PROFILER), str(file), *extra]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    operators: list[dict[str, Any]] = json.loads(done.stdout)["operators"]
    return operators


def pairs(found: dict[str, Any]) -> list[Pair]:
    """The distinct operators that both have; empty where they cannot be told apart."""
    alike: dict[tuple[str, float], list[float]] = {}
    for row, within in _both(found):
        # What is alike was timed once: it has the same time.
        alike.setdefault((_name(row), row["microseconds"]), []).append(within)
    return [
        Pair(name, alone, statistics.fmean(within), len(within))
        for (name, alone), within in alike.items()
    ]


def _both(found: dict[str, Any]) -> list[tuple[dict[str, Any], float]]:
    if not found["xnnpack"]:
        within = {row["index"]: row for row in found["within"]}
        return [
            (row, within[row["index"]]["microseconds"])
            for row in found["alone"]
            if within.get(row["index"], {}).get("name") == row["kind"]
            and row["microseconds"] is not None
        ]
    ours = [row for row in found["alone"] if row["kind"] in _OURS]
    theirs = [
        row for row in found["within"] if row["name"].startswith(_XNNPACKS) or row["name"] in _OURS
    ]
    if len(ours) != len(theirs) or any(row["microseconds"] is None for row in ours):
        return []
    return [(row, other["microseconds"]) for row, other in zip(ours, theirs, strict=True)]


def _name(row: dict[str, Any]) -> str:
    return f"{row['kind']} {row['input'].split()[0]}"


def _total(rows: Sequence[dict[str, Any]]) -> float | None:
    """Microseconds of all operators; None where one has none."""
    times = [row["microseconds"] for row in rows]
    return None if None in times else sum(times)


def _milliseconds(microseconds: float | None) -> str:
    return "—" if microseconds is None else f"{microseconds / 1000:.3g} ms"


def table(all_found: Iterable[dict[str, Any]]) -> str:
    """A line a file and delegate."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for found in all_found:
        both = pairs(found)
        alone, within = (_total(found[side]) for side in ("alone", "within"))
        head = f"| {found['file'].removesuffix('.tflite')} | {'on' if found['xnnpack'] else 'off'}"
        ends = " | ".join(map(_milliseconds, (alone, within, found["model"]))) + " |"
        if not both:
            lines.append(f"{head} | not alike | — | — | — | {ends}")
            continue
        ranks = spearmanr([p.alone for p in both], [p.within for p in both]).statistic
        totals = sum(p.alone * p.count for p in both), sum(p.within * p.count for p in both)
        large = [p for p in both if p.within * p.count >= _SHARE * totals[1]]
        worst = max(large, key=lambda p: max(p.alone / p.within, p.within / p.alone))
        share = max(abs(p.alone / totals[0] - p.within / totals[1]) * p.count for p in both)
        lines.append(
            f"{head} | {len(both)} | {ranks:.3f} | {100 * (worst.alone / worst.within - 1):+.0f} %:"
            f" {worst.name}, {worst.alone:.1f} against {worst.within:.1f} µs"
            f" | {100 * share:.1f} points | {ends}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures what was not yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/operators"))
    parser.add_argument("--minutes", type=float, default=60.0, help="end after as many")
    parser.add_argument("--make", action="store_true", help="make the files only")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * arguments.minutes
    heading("Operators alone and within the model", quiet=not (arguments.make or arguments.show))
    if not arguments.show:
        make_files(folder)
    if arguments.make:
        return
    version = host.versions().get("ai-edge-litert")
    here = {"cpu": host.facts()["cpu"], "ai-edge-litert": version}
    journal = Journal(folder / "operators.jsonl", here, "another machine or LiteRT")
    known = {(line["file"], line["xnnpack"]) for line in journal.lines}
    for file in () if arguments.show else sorted(folder.glob("*.tflite")):
        for xnnpack in (False, True):
            if (file.name, xnnpack) not in known and time.monotonic() < end:
                print(file.name, "with" if xnnpack else "without", "XNNPACK", flush=True)
                journal.keep(measured(file, xnnpack=xnnpack))
    print(table(journal.lines))


if __name__ == "__main__":
    main()
