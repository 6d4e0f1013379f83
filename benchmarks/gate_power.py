"""How often the gate is wrong, and how small a slowdown it finds: real trials, then a simulation.

    python benchmarks/gate_power.py [--gates 30] [--injected 16] [--simulated 10000]
    python benchmarks/gate_power.py --minutes 10      as far as ten minutes go; again: goes on

(a) Gates of a file against itself, on two models of the zoo, each calibrated first: whatever
    fails is a false alarm.
(b) Gates of a chain of 100 equal convolutions against chains of 103, 105, 108 and 115 of them:
    a slowdown made of real work, the same layers a bit longer.
(c) Gates drawn from the blocks of (a): each difference resampled, its sign drawn, a slowdown
    added.

Every gate is a line of ``outcomes.jsonl`` in ``--folder`` as soon as it has ended: its verdict, its
blocks, its wall time. What is there is not run again, and the tables are made from it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import Journal, heading, zoo
from mobilebench import host
from mobilebench.analysis import gating
from mobilebench.analysis.gating import Series, Verdict
from mobilebench.analysis.measures import Evidence
from mobilebench.analysis.verdicts import block_pairs, logarithms, statistics_of
from mobilebench.metrics import registry
from mobilebench.runs import calibrate as calibration
from mobilebench.runs import gate, pair
from mobilebench.runs.run import Quiet
from mobilebench.store.folder import RunFolder
from mobilebench.suite import policy
from scipy import stats

MODELS = {"lenet-5": "float32", "mobilenet-v2": "int8"}
LAYERS = 100
SLOWDOWNS = (3, 5, 8, 15)
PROTOCOL = {"warmup_seconds": 0.02, "runs": 20, "seconds": 0.05}

#: Only latency is judged: the other metrics would stop a gate early, or add blocks to it, and a
#: longer chain of convolutions answers otherwise than a shorter one.
LATENCY = policy.validate(
    {name: {"enabled": False} for name in policy.Policy() if name != "latency"}, "here"
).speed_only()

CHAIN = """
import sys, keras
keras.utils.set_random_seed(1)
into, counts = sys.argv[1], map(int, sys.argv[2:])
import tensorflow as tf
for count in counts:
    layers = [keras.Input((12, 12, 16))]
    layers += [
        keras.layers.Conv2D(16, 3, padding="same", activation="relu",
                            kernel_initializer="he_normal")
        for _ in range(count)
    ]
    model = keras.Sequential(layers)
    folder = f"{into}/chain-{count}"
    model.export(folder, verbose=False,
                 input_signature=[keras.InputSpec(shape=(1, 12, 12, 16), dtype="float32")])
    made = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    open(f"{into}/chain-{count}.tflite", "wb").write(made)
"""


def chains(into: Path) -> dict[int, Path]:
    """The chains by their number of layers; TensorFlow stays in a process of its own."""
    counts = [LAYERS, *(LAYERS + extra for extra in SLOWDOWNS)]
    subprocess.run(
        [sys.executable, "-c", CHAIN, str(into), *map(str, counts)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    return {count: into / f"chain-{count}.tflite" for count in counts}


@dataclass(frozen=True)
class Subject:
    """What is gated again and again: a part of the benchmark, a name, and the two files."""

    part: str
    name: str
    baseline: Path
    candidate: Path


@dataclass(frozen=True)
class Outcome:
    """One gate: its seed, verdict, blocks (logarithms of the ratios), margin and wall time."""

    part: str
    name: str
    seed: int
    verdict: Verdict
    blocks: tuple[float, ...]
    margin: float
    noise: float
    seconds: float


class Outcomes(Journal):
    """The gates that have ended."""

    def __init__(self, path: Path) -> None:
        """Reads the file, if there is one; it must have been made here with this protocol."""
        here = {"cpu": host.facts()["cpu"], "versions": host.versions(), "protocol": PROTOCOL}
        super().__init__(path, here, "machine, versions or protocol")
        self.all = [self._read(line) for line in self.lines]

    @staticmethod
    def _read(told: dict[str, Any]) -> Outcome:
        return Outcome(
            **{**told, "verdict": Verdict(told["verdict"]), "blocks": tuple(told["blocks"])}
        )

    def add(self, outcome: Outcome) -> None:
        """Keeps one more gate."""
        self.keep(asdict(outcome))
        self.all.append(outcome)

    def of(self, part: str, name: str) -> list[Outcome]:
        """The gates of one subject."""
        return [o for o in self.all if (o.part, o.name) == (part, name)]


def one_gate(subject: Subject, seed: int, noise: float, results: Path) -> Outcome:
    """A gate; its run is thrown away."""
    began = time.monotonic()
    suite = pair.suite_of_files(
        subject.baseline, subject.candidate, None, {"seed": seed, "protocol": PROTOCOL}
    )
    result = gate.start(suite, LATENCY, results, ["gate_power"], Quiet())
    folder = RunFolder.open(result.folder)
    metric = registry()["latency"]
    trials = folder.trials()
    statistics = statistics_of(folder.run(), trials, folder.timings(trials), [metric])
    baseline, candidate = (
        Evidence([trial for trial in trials if trial.recipe == role], statistics)
        for role in (pair.BASELINE, pair.CANDIDATE)
    )
    blocks = logarithms(block_pairs(metric, (baseline, candidate)))
    shutil.rmtree(result.folder)
    return Outcome(
        subject.part,
        subject.name,
        seed,
        result.verdict,
        blocks,
        gating.margin_above(0.03, noise),
        noise,
        round(time.monotonic() - began, 2),
    )


def noise_of(file: Path, results: Path, cache: Path) -> float:
    """The noise of a file against itself (share), measured once and kept."""
    kept = cache / f"{file.stem}.noise.json"
    if not kept.exists():
        suite = pair.suite_of_files(file, file, None, {"protocol": PROTOCOL})
        folder, (noise,) = calibration.calibrate(suite, results, ["gate_power"], Quiet())
        shutil.rmtree(folder.path)
        kept.write_text(json.dumps(noise.metrics["latency"]), "utf-8")
    return float(json.loads(kept.read_text("utf-8")))


def tell(name: str, verdicts: Sequence[Verdict], more: str = "") -> None:
    """Prints the verdicts' counts, and the share of FAIL with its exact interval."""
    counts = Counter(verdicts)
    failed = stats.binomtest(counts[Verdict.FAIL], len(verdicts)).proportion_ci(method="exact")
    said = "  ".join(f"{v.value} {counts[v]}" for v in Verdict if counts[v])
    share = counts[Verdict.FAIL] / len(verdicts)
    print(
        f"{name:<24}{len(verdicts):>6} gates  FAIL {100 * share:5.1f} %"
        f" [{100 * failed.low:.1f}, {100 * failed.high:.1f}]   {said}{more}",
        flush=True,
    )


def simulate(
    blocks: Sequence[float], slowdown: float, margin: float, gates: int, seed: int
) -> list[Verdict]:
    """Gates whose noise is that of measured blocks."""
    rng = np.random.default_rng(seed)
    looks = gating.plan_looks(1)
    size = (gates, looks[-1].blocks)
    noise = rng.choice(np.asarray(blocks), size) * rng.choice([-1, 1], size)
    worse = noise + math.log1p(slowdown)
    return [gating.decide([Series(tuple(row), margin)], looks)[0].verdict for row in worse.tolist()]


def prepare(folder: Path) -> list[Subject]:
    """The subjects; files that an earlier piece made are taken as they are."""
    files = folder / "models"
    files.mkdir(exist_ok=True)
    subjects = []
    for model, recipe in MODELS.items():
        file = files / f"{model}.{recipe}.tflite"
        file = file if file.exists() else zoo(model, [recipe], files)[recipe]
        subjects.append(Subject("a", f"{model} {recipe}", file, file))
    counts = [LAYERS, *(LAYERS + extra for extra in SLOWDOWNS)]
    made = {count: files / f"chain-{count}.tflite" for count in counts}
    if not all(file.exists() for file in made.values()):
        made = chains(files)
    return subjects + [
        Subject("b", f"+{extra} layers", made[LAYERS], made[LAYERS + extra]) for extra in SLOWDOWNS
    ]


def show(outcomes: Outcomes, subjects: Sequence[Subject], simulated: int) -> None:
    """All tables, from the gates that there are."""
    print("(a) A/A: a file against itself")
    of_a = [o for o in outcomes.all if o.part == "a"]
    for name in (s.name for s in subjects if s.part == "a"):
        if found := outcomes.of("a", name):
            blocks = [d for o in found for d in o.blocks]
            tell(
                name,
                [o.verdict for o in found],
                f"   calibrated noise {100 * found[0].noise:.1f} %, margin"
                f" {100 * found[0].margin:.1f} %; over {len(blocks)} blocks noise"
                f" {100 * gating.noise(blocks):.1f} %, standard deviation"
                f" {100 * float(np.std(blocks)):.1f} %",
            )
    if of_a:
        tell("both", [o.verdict for o in of_a])
    print(f"wall time of {len(of_a)} gates {sum(o.seconds for o in of_a):.0f} s\n")

    print(f"(b) a chain of {LAYERS} convolutions against longer ones")
    of_b = [o for o in outcomes.all if o.part == "b"]
    for name in (s.name for s in subjects if s.part == "b"):
        if found := outcomes.of("b", name):
            blocks = [d for o in found for d in o.blocks]
            effect = math.expm1(float(np.median(blocks)))
            tell(
                name,
                [o.verdict for o in found],
                f"   margin {100 * found[0].margin:.1f} %, measured {100 * effect:+.1f} % over"
                f" {len(blocks)} blocks",
            )
    print(f"wall time of {len(of_b)} gates {sum(o.seconds for o in of_b):.0f} s\n")

    pooled = [d for o in of_a for d in o.blocks]
    if not pooled or not simulated:
        return
    print(f"(c) simulated with the {len(pooled)} blocks of (a)")
    began = time.monotonic()
    for margin in sorted({0.03, *(o.margin for o in of_a)}):
        print(f"margin {100 * margin:.1f} %")
        for slowdown in (0, *SLOWDOWNS):
            verdicts = simulate(pooled, slowdown / 100, margin, simulated, slowdown)
            tell(f"  slowdown {slowdown} %", verdicts)
    print(f"{time.monotonic() - began:.0f} s")


def main() -> None:
    """Prints rates, counts and wall times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gates", type=int, default=30, help="A/A gates a model")
    parser.add_argument("--injected", type=int, default=16, help="gates a slowdown")
    parser.add_argument("--simulated", type=int, default=10_000, help="0: no simulation")
    parser.add_argument("--minutes", type=float, help="begin no gate after so long; later, go on")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/gate_power"))
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    heading("Power of the gate: false alarms and detection", quiet=True)
    outcomes = Outcomes(folder / "outcomes.jsonl")
    subjects = prepare(folder)
    # Noise measured here, by short trials, is not what a user's gate should find.
    os.environ["MOBILEBENCH_CACHE"] = str(folder / "cache")
    results = folder / "results"
    print(f"protocol  {PROTOCOL}; 6 blocks at .02, then 12 at .03; margin max(3 %, 2 × noise)")
    noises = {s.baseline: noise_of(s.baseline, results, folder) for s in subjects}
    wanted = {"a": arguments.gates, "b": arguments.injected}
    # A seed of each in turn, so that a part of the whole is a part of everything.
    left = [
        (seed, subject)
        for seed in range(max(wanted.values()))
        for subject in subjects
        if seed < wanted[subject.part]
        and seed not in {o.seed for o in outcomes.of(subject.part, subject.name)}
    ]
    print(
        f"gates     {len(outcomes.all)} are there, {len(left)} to do; load {os.getloadavg()[0]:.1f}"
    )
    ran, began = 0, time.monotonic()
    for seed, subject in left:
        if arguments.minutes and time.monotonic() - began > 60 * arguments.minutes:
            break
        outcomes.add(one_gate(subject, seed, noises[subject.baseline], results))
        ran += 1
    more = f"; {len(left) - ran} are left: run the same command again" if ran < len(left) else ""
    print(f"          {ran} run in {time.monotonic() - began:.0f} s{more}\n")
    show(outcomes, subjects, arguments.simulated)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: what has ended is kept; the same command goes on")
