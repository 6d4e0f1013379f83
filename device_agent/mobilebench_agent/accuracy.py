"""How often a classifier is right, on labelled samples that the host sent."""

from __future__ import annotations

import time
import zipfile
from typing import Any, Callable, List, Tuple

import numpy as np

from mobilebench_agent import runtime as runtimes
from mobilebench_agent import tensors
from mobilebench_agent.contract import Job, Metric, Result

_SECONDS_BETWEEN_EVENTS = 0.5


def measure(runtime: runtimes.Runtime, job: Job, phase: Callable[[str, float], None]) -> Result:
    """Runs every sample of the dataset, one at a time, and compares the largest output.

    The dataset is an ``.npz`` with ``x`` (count, *input shape*) and ``y`` (count,) of class
    indices. The class chosen for each sample is returned, so that two models can be compared
    sample by sample.
    """
    phase("load", 0)
    runtimes.verify(job.dataset, job.dataset_sha256, "dataset_bad", "dataset_bad")
    inputs, labels = _load(job.dataset)
    interpreter = runtimes.load(runtime, job)
    detail = _only(interpreter.get_input_details(), "input")
    _fit(interpreter, detail, inputs)
    output = _only(interpreter.get_output_details(), "output")
    classes = int(output["shape"][-1])
    if labels.min() < 0 or labels.max() >= classes:
        raise runtimes.AgentError(
            "dataset_bad",
            f"labels run from {labels.min()} to {labels.max()}, "
            f"but the model has {classes} classes",
        )

    predictions: List[int] = []
    clipped = 0
    next_event = time.monotonic()
    for number, sample in enumerate(inputs):
        taken, beyond = tensors.to_input(sample[np.newaxis], detail)
        clipped += beyond
        interpreter.set_tensor(detail["index"], taken)
        interpreter.invoke()
        values = interpreter.get_tensor(output["index"])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise runtimes.AgentError(
                "output_nan", f"the model answered sample {number} with NaN or infinity"
            )
        predictions.append(int(values.argmax()))
        if time.monotonic() >= next_event:
            phase("accuracy", number / len(inputs))
            next_event = time.monotonic() + _SECONDS_BETWEEN_EVENTS
    right = float(np.mean(np.array(predictions) == labels))
    count = len(predictions)
    return Result(
        job.trial,
        job.kind,
        metrics=(Metric("accuracy_top1", "1", "dataset labels", right, 1 / count, n=count),),
        predictions=tuple(predictions),
        warnings=tensors.clipping_warnings(clipped, inputs.size, detail),
    )


def _load(path: str) -> Tuple[Any, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            inputs, labels = archive["x"], archive["y"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise runtimes.AgentError(
            "dataset_bad", f"the dataset is no .npz with x and y: {error}"
        ) from error
    if len(inputs) == 0 or labels.shape != (len(inputs),) or labels.dtype.kind not in "iu":
        raise runtimes.AgentError(
            "dataset_bad",
            f"the dataset has x of shape {inputs.shape} and y of shape {labels.shape}; "
            "y must hold one class index for each sample of x",
        )
    return inputs, labels


def _only(details: List[Any], what: str) -> Any:
    if len(details) != 1:
        raise runtimes.AgentError(
            "dataset_bad",
            f"accuracy needs a model with one {what}, and this one has {len(details)}",
        )
    return details[0]


def _fit(interpreter: Any, detail: Any, inputs: Any) -> None:
    """Resizes the model to batches of one, and checks the samples' shape against its input."""
    wanted = tuple(int(n) for n in detail["shape"][1:])
    if inputs.shape[1:] != wanted:
        raise runtimes.AgentError(
            "dataset_bad",
            f"samples have shape {inputs.shape[1:]}, and the model takes {wanted}",
        )
    if int(detail["shape"][0]) != 1:
        interpreter.resize_tensor_input(detail["index"], (1, *wanted))
        interpreter.allocate_tensors()
