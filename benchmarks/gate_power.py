"""How often the gate is wrong, and how small a slowdown it finds: real trials, then a simulation.

    python benchmarks/gate_power.py [--gates 30] [--injected 16] [--simulated 10000]

(a) Gates of a file against itself, on two models of the zoo, each calibrated first: whatever
    fails is a false alarm.
(b) Gates of a chain of 100 equal convolutions against chains of 103, 105, 108 and 115 of them:
    a slowdown made of real work, the same layers a bit longer.
(c) Gates drawn from the blocks of (a): each difference resampled, its sign drawn, a slowdown
    added.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import heading, zoo
from scipy import stats

from harness import arms, calibration, gate, policy
from harness.analysis import gating
from harness.analysis.gating import Series, Verdict
from harness.analysis.trial import describe
from harness.analysis.verdicts import logarithms, pairs
from harness.run import Quiet
from harness.store import RunFolder

MODELS = {"lenet-5": "float32", "mobilenet-v2": "int8"}
LAYERS = 100
SLOWDOWNS = (3, 5, 8, 15)
PROTOCOL = {"warmup_seconds": 0.02, "runs": 20, "seconds": 0.05}

#: Only latency is judged: the other metrics would stop a gate early, or add blocks to it.
LATENCY = policy.validate(
    {name: {"enabled": False} for name in policy.Policy.model_fields if name != "latency"}, "here"
)

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


def one_gate(
    baseline: Path, candidate: Path, seed: int, results: Path
) -> tuple[gate.GateResult, tuple[float, ...]]:
    """A gate, and the logarithms of its blocks' ratios."""
    suite = arms.suite_of_files(baseline, candidate, None, {"seed": seed, "protocol": PROTOCOL})
    result = gate.start(suite, LATENCY, results, ["gate_power"], Quiet())
    folder = RunFolder.open(result.folder)
    medians = {trial: describe(values).median for trial, values in folder.samples()}
    records = folder.trials()
    sides = [[r for r in records if r.recipe == arm] for arm in (arms.BASELINE, arms.CANDIDATE)]
    return result, logarithms(pairs("latency", (sides[0], sides[1]), medians))


def calibrated(file: Path, results: Path) -> float:
    """The noise of a file against itself (share)."""
    suite = arms.suite_of_files(file, file, None, {"protocol": PROTOCOL})
    return calibration.calibrate(suite, results, ["gate_power"], Quiet())[1][0].latency


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


def main() -> None:
    """Prints rates, counts and wall times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gates", type=int, default=30, help="A/A gates a model")
    parser.add_argument("--injected", type=int, default=16, help="gates a slowdown")
    parser.add_argument("--simulated", type=int, default=10_000)
    arguments = parser.parse_args()
    heading("Power of the gate: false alarms and detection")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        results = folder / "results"
        files = {model: zoo(model, [r], folder)[r] for model, r in MODELS.items()}
        by_layers = chains(folder)
        # Noise measured here, by short trials, is not what a user's gate should find.
        os.environ["MOBILEBENCH_CACHE"] = str(folder / "cache")
        print(f"protocol  {PROTOCOL}; 6 blocks at .02, then 12 at .03; margin max(3 %, 2 × noise)")
        print(f"models made in {time.monotonic() - start:.0f} s; load {os.getloadavg()[0]:.1f}\n")

        print("(a) A/A: a file against itself")
        began = time.monotonic()
        everything: list[Verdict] = []
        pooled: list[float] = []
        margins = []
        for model, file in files.items():
            margins.append(gating.margin_above(0.03, noise := calibrated(file, results)))
            found = [one_gate(file, file, seed, results) for seed in range(arguments.gates)]
            verdicts = [result.verdict for result, _ in found]
            blocks = [d for _, differences in found for d in differences]
            tell(
                f"{model} {MODELS[model]}",
                verdicts,
                f"   calibrated noise {100 * noise:.1f} %, margin {100 * margins[-1]:.1f} %; over"
                f" {len(blocks)} blocks noise {100 * gating.noise(blocks):.1f} %,"
                f" standard deviation {100 * float(np.std(blocks)):.1f} %",
            )
            everything += verdicts
            pooled += blocks
        tell("both", everything)
        print(f"{time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}\n")

        print(f"(b) a chain of {LAYERS} convolutions against longer ones")
        began = time.monotonic()
        noise = calibrated(by_layers[LAYERS], results)
        margin = gating.margin_above(0.03, noise)
        print(f"calibrated noise {100 * noise:.1f} %, margin {100 * margin:.1f} %")
        for extra in SLOWDOWNS:
            found = [
                one_gate(by_layers[LAYERS], by_layers[LAYERS + extra], seed, results)
                for seed in range(arguments.injected)
            ]
            effect = math.expm1(float(np.median([d for _, ds in found for d in ds])))
            tell(
                f"+{extra} layers",
                [result.verdict for result, _ in found],
                f"   measured {100 * effect:+.1f} % over {sum(len(ds) for _, ds in found)} blocks",
            )
        print(f"{time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}\n")

    print(f"(c) simulated with the {len(pooled)} blocks of (a)")
    began = time.monotonic()
    for margin in sorted({0.03, *margins}):
        print(f"margin {100 * margin:.1f} %")
        for slowdown in (0, *SLOWDOWNS):
            verdicts = simulate(pooled, slowdown / 100, margin, arguments.simulated, slowdown)
            tell(f"  slowdown {slowdown} %", verdicts)
    print(f"{time.monotonic() - began:.0f} s\n\nin all {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
