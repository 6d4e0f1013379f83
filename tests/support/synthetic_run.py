"""A run folder with synthetic numbers: seeded, plausible in shape, measured on nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from mobilebench.records.timings import Timings
from mobilebench.records.trial import Delegation, Trial
from mobilebench.store.folder import RunFolder
from mobilebench_agent.contract import Metric

from tests.support.run_records import run_of

if TYPE_CHECKING:
    from pathlib import Path

STARTED = "2026-11-24T22:59:00Z"
DEVICE = "bench"
RUNTIME = "cpu-1"
BLOCKS = 6
EVALUATED = 1000

# recipe: (relative latency, bytes, gzip bytes, accuracy)
DIGITS = {
    "float32": (1.0, 441_000, 408_000, 0.981),
    "float16": (1.03, 222_000, 204_000, 0.981),
    "dynamic_int8": (0.62, 118_000, 101_000, 0.980),
    "int8": (0.41, 119_500, 99_000, 0.978),
    "int16x8": (2.9, 121_000, 101_500, 0.981),
    "prune(0.8)": (1.01, 441_000, 118_000, 0.976),
    "cluster(32)": (0.995, 441_000, 96_000, 0.974),
    "prune(0.8) → cluster(32) → int8": (0.42, 119_600, 31_000, 0.962),
    "distill → int8": (0.018, 21_400, 15_200, 0.969),
    "student": (0.05, 62_000, 55_000, 0.966),
}
MOBILENET = {
    "float32": (1.0, 13_980_000, 12_950_000, None),
    "float16": (1.02, 7_020_000, 6_480_000, None),
    "int8": (0.36, 3_880_000, 3_180_000, None),
    "dynamic_int8": (0.58, 3_720_000, 3_010_000, None),
}
SCALE_NS = {"digits": 410_000, "mobilenet-v2": 21_500_000}


def manifest(**changes: Any) -> dict[str, Any]:
    """The manifest of a run that has not begun."""
    return {
        "run": "20261124T225900Z-synthetic",
        "state": "finished",
        "created": STARTED,
        "finished": "2026-11-24T23:11:00Z",
        "suite": {
            "name": "synthetic",
            "protocol": {"blocks": BLOCKS, "warmup_runs": 1, "runs": 50, "seconds": 1.0},
        },
        "seed": 2026,
        "command": ["mobilebench", "run", "synthetic.toml"],
        "versions": {"mobilebench": "0.1.0", "python": "3.11.7"},
        "host": {"system": "Linux", "machine": "x86_64", "cpu": "a synthetic CPU", "cores": 2},
        "devices": [
            {
                "name": DEVICE,
                "kind": "local",
                "virtual": False,
                "agent": "0.1.0",
                "runtime": "ai-edge-litert",
                "runtime_version": "2.3.0",
                "info": {"cpu": "a synthetic CPU"},
            }
        ],
        "runtimes": [{"name": RUNTIME, "accelerator": "cpu", "threads": 1, "xnnpack": True}],
        "models": [],
        "artifacts": [],
        "failures": [],
        "plan": [],
        "warnings": [],
        **changes,
    }


def build_run(path: Path, seed: int = 7, **changes: Any) -> RunFolder:
    """Two models, some ten variants, six blocks, one failed variant, one failed trial."""
    random = np.random.default_rng(seed)
    document = manifest()
    document["models"] = [
        {"name": "digits", "source": "zoo:digits-teacher", "data": "mnist-subset"},
        {"name": "mobilenet-v2", "source": "zoo:mobilenet-v2", "data": "random"},
    ]
    for model in document["models"]:
        model["baseline"] = "float32"
    document["failures"] = [
        {
            "model": "digits",
            "recipe": "prune(0.99)",
            "step": "prune(0.99)",
            "reason": "accuracy fell to chance, so the step's own check refused the result",
        }
    ]
    records: list[tuple[Trial, Any]] = []
    for model, recipes in (("digits", DIGITS), ("mobilenet-v2", MOBILENET)):
        labels = random.integers(0, 10, EVALUATED)
        base_predictions = _answers(random, labels, 0.981)
        for recipe, (relative, size, gzip_size, accuracy) in recipes.items():
            sha256 = hashlib.sha256(f"{model} {recipe}".encode()).hexdigest()
            document["artifacts"].append(_artifact(model, recipe, sha256, size, gzip_size))
            place = {"model": model, "recipe": recipe, "artifact": sha256}
            for block in range(1, BLOCKS + 1):
                samples = _latencies(random, relative * SCALE_NS[model], model)
                records.append((_latency(place, block, samples), samples))
            records.append((_memory(place, size, random), None))
            if accuracy is not None:
                predictions = _answers(random, labels, accuracy, base_predictions)
                records.append((_accuracy(place, labels, predictions), None))
    records[20] = (_failed(records[20][0]), None)
    document["plan"] = [
        {"trial": r.trial, "kind": r.kind, "block": r.block, "device": r.device,
         "model": r.model, "recipe": r.recipe, "runtime": r.runtime}
        for r, _ in records
    ]  # fmt: skip
    folder = RunFolder.create(path, run_of(**{**document, **changes}))
    for record, samples in records:
        folder.append(record, None if samples is None else Timings(samples))
    folder.fold_samples()
    return folder


def _artifact(model: str, recipe: str, sha256: str, size: int, gzip_size: int) -> dict[str, Any]:
    data = {"name": "mnist-subset", "sha256": sha256[::-1], "count": EVALUATED}
    return {
        "model": model,
        "recipe": recipe,
        "sha256": sha256,
        "bytes": size,
        "gzip_bytes": gzip_size,
        "dataset": data if model == "digits" else None,
        "warnings": [],
        "provenance": {"model": model, "seed": 2026, "steps": [{"step": recipe, "checked": "ok"}]},
    }


def _latencies(random: np.random.Generator, centre: float, model: str) -> Any:
    n = 400 if model == "digits" else 60
    samples = centre * random.normal(1, 0.012) * random.lognormal(0, 0.02, n)
    samples[random.random(n) < 0.02] *= 1.6
    return samples.astype(np.int64)


def _answers(
    random: np.random.Generator, labels: Any, accuracy: float, base: Any = None
) -> np.ndarray:
    wrong = round((1 - accuracy) * len(labels))
    # A compressed model mostly errs where its baseline errs.
    order = random.permutation(len(labels))
    if base is not None:
        order = np.concatenate([order[(base != labels)[order]], order[(base == labels)[order]]])
    predictions = labels.copy()
    chosen = order[:wrong]
    predictions[chosen] = (labels[chosen] + 1) % 10
    return predictions


def _trial(place: dict[str, str], kind: str, block: int, **rest: Any) -> Trial:
    name = hashlib.sha256(f"{place} {kind} {block}".encode()).hexdigest()[:12]
    return Trial(
        trial=f"{kind}-{block}-{name}",
        kind=kind,
        block=block,
        device=DEVICE,
        runtime=RUNTIME,
        state="valid",
        started=STARTED,
        seconds=2.0,
        **place,
        **rest,
    )


def _metric(name: str, unit: str, value: float, n: int = 1) -> dict[str, Any]:
    return Metric(name, unit, "synthetic", value, n=n)


def _latency(place: dict[str, str], block: int, samples: Any) -> Trial:
    partly = place["recipe"] == "int16x8"
    return _trial(
        place,
        "latency",
        block,
        samples=len(samples),
        metrics=(
            _metric("initialization_time", "ns", float(samples[0]) * 12),
            _metric("first_inference", "ns", float(samples[0]) * 3),
        ),
        delegation=Delegation(
            9, 2 if partly else 9, 1, {"CONV_2D": 4, "FULLY_CONNECTED": 3} if partly else {}
        ),
    )


def _memory(place: dict[str, str], size: int, random: np.random.Generator) -> Trial:
    names = {"memory_peak": 2.1, "memory_pss": 1.6, "memory_anonymous": 0.9, "memory_file": 1.0}
    return _trial(
        place,
        "memory",
        1,
        metrics=tuple(
            _metric(name, "B", float(int(size * times * random.uniform(0.98, 1.02))))
            for name, times in names.items()
        ),
    )


def _accuracy(place: dict[str, str], labels: Any, predictions: Any) -> Trial:
    right = float(np.mean(labels == predictions))
    return _trial(
        place,
        "accuracy",
        1,
        metrics=(_metric("accuracy_top1", "1", right, len(labels)),),
        predictions=tuple(int(p) for p in predictions),
    )


def _failed(record: Trial) -> Trial:
    return Trial(
        **{
            **record.__dict__,
            "state": "failed",
            "code": "out_of_memory",
            "reason": "the process was killed",
            "samples": 0,
            "metrics": (),
            "predictions": (),
        }
    )
