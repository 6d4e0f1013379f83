"""Runs and records of trials of one model in two variants, with made-up numbers."""

import numpy as np
from mobilebench.records.timings import Timings
from mobilebench.records.trial import Trial
from mobilebench_agent.contract import Metric

from tests.support.run_records import run_of

#: The recipes of the two.
BASE, SMALL = "float32", "int8"


def metric(name, value, n=1):
    return Metric(name, "1", "test", value, n=n)


def trial(recipe, kind="latency", block=1, **rest):
    return Trial(
        trial=f"{recipe}-{kind}-{block}", kind=kind, block=block, device="phone", model="m",
        recipe=recipe, runtime="cpu", artifact=recipe, state="valid", started="", seconds=1.0,
        **rest,
    )  # fmt: skip


def accuracy(recipe, predictions, labels):
    right = float(np.mean(np.array(predictions) == labels))
    return trial(
        recipe,
        "accuracy",
        metrics=(metric("accuracy_top1", right, len(labels)),),
        predictions=tuple(predictions),
    )


ARTIFACTS = [
    {"model": "m", "recipe": BASE, "sha256": "a", "bytes": 400, "gzip_bytes": 300},
    {"model": "m", "recipe": SMALL, "sha256": "b", "bytes": 100, "gzip_bytes": 90},
]


def a_run(**changes):
    parts = {
        "models": [{"name": "m", "baseline": BASE}],
        "devices": [{"name": "phone"}],
        "runtimes": [{"name": "cpu"}],
        "artifacts": ARTIFACTS,
        **changes,
    }
    return run_of(**parts)


def in_files(samples):
    return ((trial, Timings(values)) for trial, values in samples)
