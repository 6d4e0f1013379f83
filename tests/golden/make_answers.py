"""Writes the made-up runs with answers, in format 2: ``python tests/golden/make_answers.py``.

Unlike ``make_runs.py`` it has the project's own tasks score the answers: rows of no task would be
no run that anybody has. All answers come from seeds; nothing here was measured.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from mobilebench.quality.scoring import estimates
from mobilebench.quality.tasks import TASKS
from safetensors.numpy import save_file

from tests.golden.make_runs import LOOKS, POLICY, RUNS, Pair, Run, clocks, device, memory, runtime

SAMPLES = 120
_SIZES = {"bytes": "file", "gzip_bytes": "gzip", "zstd_bytes": "zstd", "xz_bytes": "xz"}


class Answered(Run):
    """A run of format 2, whose variants answered samples on the device."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kept: dict[str, dict[str, Any]] = {}
        self.ends: dict[str, tuple[Any, Any]] = {}

    def answers(
        self,
        variant: Pair,
        where: Pair,
        outputs: Any,
        task: str = "",
        labels: Any = None,
        parity: tuple[float, float, int] = (96.4, 3e-6, 4),
        **more: Any,
    ) -> None:
        """Adds the outputs trial of a variant with one output.

        Args:
            variant: whose.
            where: device and runtime.
            outputs: to all samples.
            task: by which they are scored; empty: not at all.
            labels: of all samples.
            parity: signal-to-noise ratio (dB), largest error and worst sample.
            more: of the answers.
        """
        arrays, scores = {"output/0": outputs.astype(np.float32)}, ()
        if task:
            fitted = TASKS[task].fitted(labels, [outputs], [])
            rows = fitted.reduce([outputs], labels)
            scores = estimates(fitted, rows, seed=self.seed)
            arrays |= {f"reduced/{name}": np.ascontiguousarray(rows[name]) for name in rows}
        snr, error, worst = parity
        answers = {
            "samples": len(outputs), "source": "data" if task else "noise",
            "digest": variant[0].ljust(64, "0"), "task": task, "reason": "",
            "scores": [asdict(score) for score in scores],
            "parity": [{"output": "scores", "snr_db": snr, "largest_error": error,
                        "agreement": None, "worst_sample": worst}],
            "parity_samples": 32, "parity_reason": "", **more,
        }  # fmt: skip
        self.trial("outputs", 0, variant, *where, answers=answers)
        self.kept[self.plan[-1]["trial"]] = arrays

    def times_of(self, variant: Pair, where: Pair, ns: float, blocks: int = 6) -> None:
        """Adds its latency and memory trials."""
        metrics, conditions = clocks(2.7e9)
        self.trial("memory", 0, variant, *where, memory(4e6 * self.random.normal(1, 0.01)))
        for block in range(blocks):
            self.trial("latency", block, variant, *where, metrics, self.lognormal(ns, 12),
                       self.lognormal(ns, 4), conditions=conditions)  # fmt: skip

    def finish(self) -> None:
        """Writes the folder."""
        folder = RUNS / self.name
        self.write(folder)
        (folder / "answers").mkdir()
        for trial, arrays in self.kept.items():
            save_file(arrays, folder / "answers" / f"{trial}.safetensors")

    def _manifest(self, state: str) -> dict[str, Any]:
        old = super()._manifest(state)
        artifacts = [
            {**{k: v for k, v in table.items() if k not in _SIZES},
             "sizes": {to: table[key] for key, to in _SIZES.items()}}
            for table in old.pop("artifacts")
        ]  # fmt: skip
        return {**old, "format": 2, "name": old.pop("run"), "artifacts": artifacts}


def softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


PIXEL = ("pixel", "cpu-4")
PHONE = device("pixel", "android", model="Pixel 8", android="14", soc="Tensor G3", cores=9)


def tasks() -> None:
    """Four models of four tasks; one variant computes something else than its file."""
    sizes = {"float32": 3_900_000, "int8": 1_010_000, "prune(0.8) → int8": 1_010_000}
    models = ("digits", "age", "roads", "embedder")
    run = Answered(
        "answers", datetime(2026, 7, 1, 9, tzinfo=UTC), 71, [PHONE], [runtime("cpu-4", 4)],
        {(model, recipe): size for model in models for recipe, size in sizes.items()}, SAMPLES,
    )  # fmt: skip
    random = run.random
    labels = random.integers(0, 10, SAMPLES)
    scores = 5 * np.eye(10)[labels] + random.normal(0, 1.6, (SAMPLES, 10))
    years = random.uniform(18, 80, (SAMPLES, 1))
    off = random.normal(0, 4, years.shape)
    maps = np.kron(random.integers(0, 3, (SAMPLES, 4, 4)), np.ones((2, 2), int))
    pixels = 4 * np.eye(3)[maps] + random.normal(0, 1.4, (*maps.shape, 3))
    vectors = random.normal(0, 1, (32, 16))
    for number, recipe in enumerate(sizes):
        spread = (0.0, 0.15, 1.1)[number]
        noise = [random.normal(0, spread, x.shape) for x in (scores, years, pixels, vectors)]
        wrong = {"parity": (4.1, 0.62, 17)} if recipe == "int8" else {}
        run.answers(("digits", recipe), PIXEL, softmax(scores + noise[0]), "classification", labels)
        run.answers(("age", recipe), PIXEL, years + off + 3 * noise[1], "regression", years)
        run.answers(
            ("roads", recipe), PIXEL, softmax(pixels + noise[2]), "segmentation", maps, **wrong
        )
        run.answers(("embedder", recipe), PIXEL, vectors + noise[3])
        for model in models:
            run.times_of((model, recipe), PIXEL, 8.6e6 if number == 0 else 3.3e6 - 1e5 * number)
    run.finish()


def gate() -> None:
    """A gate of a file against itself with shuffled weights, without data: FAIL by similarity."""
    name, baseline, candidate = "gate-answers", ("net", "baseline"), ("net", "candidate")
    pair = {"model": "net", "device": "pixel", "runtime": "cpu-4", "baseline": "baseline",
            "candidate": "candidate"}  # fmt: skip
    policy = {metric: {"enabled": True, **rest} for metric, rest in POLICY.items()}
    policy["mae"] = {"enabled": True, "direction": "lower", "margin": 0.05, "missing": "ignore"}
    policy["answers"] = {"enabled": True, "pass_db": 20.0, "fail_db": 10.0, "parity_db": None}
    run = Answered(
        name, datetime(2026, 7, 2, 9, tzinfo=UTC), 72, [PHONE], [runtime("cpu-4", 4)],
        {baseline: 3_900_000, candidate: 3_900_000}, 0,
        more={"gate": {"policy": policy, "looks": LOOKS, "pairs": [pair], "noise": []}},
        command="gate",
    )  # fmt: skip
    outputs = run.random.normal(0, 1, (32, 10))
    run.answers(baseline, PIXEL, outputs)
    run.answers(candidate, PIXEL, run.random.permutation(outputs))
    metrics, conditions = clocks(2.7e9)
    for block in range(7):
        for variant in (baseline, candidate):
            ns = 3.2e6 * run.random.normal(1, 0.002)
            run.trial("latency", block, variant, *PIXEL, metrics, run.lognormal(ns, 12),
                      run.lognormal(ns, 4), conditions=conditions)  # fmt: skip
            run.trial("memory", block, variant, *PIXEL, memory(5e6 * run.random.normal(1, 0.004)))
    manifest = run._manifest

    def of_one_source(state: str) -> dict[str, Any]:
        found = manifest(state)
        for artifact in found["artifacts"]:
            artifact["provenance"]["source_sha256"] = found["artifacts"][0]["sha256"]
        return found

    run._manifest = of_one_source  # type: ignore[method-assign]
    run.finish()


if __name__ == "__main__":
    tasks()
    gate()
