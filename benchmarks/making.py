"""What making files costs: CPU time and memory, beside litert-cli, and variants side by side.

    python benchmarks/making.py --litert /path/to/its/environment/bin/litert [--rounds 3]
    python benchmarks/making.py --side-by-side

The first quantizes one ready float32 file (MobileNetV2) with both, in turn: dynamic int8, and int8
calibrated with as many random images. litert-cli has packages of its own: give it an environment
(`python -m venv x && x/bin/pip install litert-cli`). The second converts MobileNetV2 from Keras,
and makes variants one by one and two at a time, each from an empty cache, and compares the files.

CPU time is that of all processes that a command starts; memory is the largest sum of what they held
at one time, shared pages counted once, looked at every 20 ms.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from common import MOBILEBENCH, heading

SAMPLES = 32
CALIBRATION = f"""
import numpy as np

def get_calibration_data():
    draw = np.random.default_rng(0)
    shape = (1, 224, 224, 3)
    return {{
        "serving_default": [
            {{"given": draw.random(shape, dtype=np.float32)}} for _ in range({SAMPLES})
        ]
    }}
"""
#: Ten variants that train nothing, and some that share what they train.
POST_TRAINING = (
    "float32",
    "float16",
    "dynamic_int8",
    "dynamic_int4",
    "weight_only_int8",
    "weight_only_int4",
    f"int8(samples={SAMPLES})",
    f"int8(samples={SAMPLES}, ranges=average)",
    f"int16x8(samples={SAMPLES})",
    "dynamic_int8(algorithm=octav)",
)
TRAINED = (
    "prune(0.5, epochs=2)",
    "prune(0.5, epochs=2) -> dynamic_int8",
    "prune(0.8, epochs=2)",
    "prune(0.8, epochs=2) -> int8",
    "cluster(16, epochs=2)",
    "cluster(16, epochs=2) -> dynamic_int8",
)


@dataclass
class Cost:
    """What one command cost: seconds of its processes and of the clock, and bytes at most."""

    cpu: float
    wall: float
    memory: int


@dataclass
class _Watch:
    """Looks at a process and all below it until told to stop."""

    root: int
    largest: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(0.02):
            self.largest = max(self.largest, sum(map(_held, _tree(self.root))))


def _tree(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return 0


def cost_of(command: Sequence[str], cache: Path) -> Cost:
    """Runs a command to its end, which must be a good one."""
    environment = {**os.environ, "MOBILEBENCH_CACHE": str(cache)}
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    watch = _Watch(process.pid)
    looking = threading.Thread(target=watch.run)
    looking.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    watch.stop.set()
    looking.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed with exit code {process.returncode}: {' '.join(command)}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, watch.largest)


def row(name: str, costs: Sequence[Cost]) -> tuple[float, float]:
    """Prints one line; returns the median CPU seconds and bytes."""
    cpu = statistics.median(one.cpu for one in costs)
    memory = statistics.median(one.memory for one in costs)
    wall = statistics.median(one.wall for one in costs)
    print(f"{name:44} {cpu:7.2f} {wall:7.2f} {memory / 2**20:8.0f}", flush=True)
    return cpu, memory


def beside(litert: str, rounds: int, folder: Path) -> None:
    """Ours and litert-cli's, in turn."""
    compress = [MOBILEBENCH, "compress"]
    made = folder / "made"
    cost_of([*compress, "zoo:mobilenet-v2", "float32", "--into", str(made)], folder / "cache")
    ready = str(made / "mobilenet-v2.float32.tflite")
    script = folder / "calibration.py"
    script.write_text(CALIBRATION)
    to_file = ["--output", str(folder / "litert.tflite")]
    static = ["--recipe", "static_wi8_ai8", "--calibration-data", str(script)]
    jobs = {
        "dynamic int8": (["dynamic_int8"], []),
        f"int8, {SAMPLES} samples": ([f"int8(samples={SAMPLES})", "--data", "random"], static),
    }
    print(f"{'MobileNetV2, 14 MB, a ready file to …':44} {'CPU s':>7} {'s':>7} {'MiB':>8}")
    for job, (ours, theirs) in jobs.items():
        costs: tuple[list[Cost], list[Cost]] = ([], [])
        for number in range(rounds):
            cache = folder / f"cache-{number}-{ours[0]}"
            costs[0].append(cost_of([litert, "quantize", ready, *to_file, *theirs], cache))
            costs[1].append(cost_of([*compress, ready, *ours, "--into", str(made)], cache))
        their, our = row(f"{job}: litert-cli", costs[0]), row(f"{job}: MobileBench", costs[1])
        print(f"{'':44} {our[0] / their[0]:6.2f}x {'':7} {our[1] / their[1]:7.2f}x")


def side_by_side(folder: Path) -> None:
    """One conversion; then variants one by one and two at a time, and whether the files differ."""
    print(f"{'':44} {'CPU s':>7} {'s':>7} {'MiB':>8}")
    into = ["--into", str(folder)]
    alone = [MOBILEBENCH, "compress", "zoo:mobilenet-v2", "float32", *into]
    row("zoo:mobilenet-v2 float32", [cost_of(alone, folder / "convert")])
    ready = str(folder / "mobilenet-v2.float32.tflite")
    for number, (model, recipes, what) in enumerate(
        (
            (ready, POST_TRAINING, "ten post-training variants"),
            ("zoo:lenet-5", TRAINED, "six trained variants of LeNet-5"),
        )
    ):
        walls, hashes = [], []
        for jobs in (1, 2):
            place = folder / f"{number}-{jobs}"
            data = ["--data", "random"] if recipes is POST_TRAINING else []
            command = [MOBILEBENCH, "compress", model, *recipes, *data, "--jobs", str(jobs)]
            cost = cost_of([*command, "--into", str(place)], folder / f"cache-{number}-{jobs}")
            row(f"{what}, --jobs {jobs}", [cost])
            walls.append(cost.wall)
            hashes.append(
                {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in place.iterdir()}
            )
        same = "the same files" if hashes[0] == hashes[1] else "OTHER FILES"
        print(f"{'':44} {'':7} {walls[0] / walls[1]:6.2f}x {same}")


def main() -> None:
    """Prints the costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--litert", help="litert-cli's program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side-by-side", action="store_true")
    arguments = parser.parse_args()
    if not arguments.litert and not arguments.side_by_side:
        parser.error("give --litert PATH, --side-by-side, or both")
    heading("What making files costs", quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.litert:
            beside(arguments.litert, arguments.rounds, Path(folder))
        if arguments.side_by_side:
            side_by_side(Path(folder))


if __name__ == "__main__":
    main()
