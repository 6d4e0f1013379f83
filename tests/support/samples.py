"""Tensor files: samples for an agent, and what it answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench.devices.base import Device
from mobilebench_agent.contract import PROTOCOL_VERSION, Job
from safetensors.numpy import load_file, save_file

from tests.support.models import sha256


def write_samples(path: Path, *inputs: Any) -> dict[str, str]:
    """A file with samples for each input; returns the settings of a job with it."""
    save_file({str(n): np.array(values, order="C") for n, values in enumerate(inputs)}, path)
    return {"inputs": str(path), "inputs_sha256": sha256(path)}


def outputs_from(device: Device, model: Path, folder: Path) -> Any:
    """What a device answers to five samples of the small model, by way of the files."""
    x = np.random.default_rng(5).random((5, 8, 8, 1), dtype=np.float32)
    samples = folder / "samples.safetensors"
    settings = write_samples(samples, x)
    job = Job(
        PROTOCOL_VERSION,
        "run.device.00001",
        "outputs",
        device.push(model, sha256(model)),
        sha256(model),
        inputs=device.push(samples, settings["inputs_sha256"]),
        inputs_sha256=settings["inputs_sha256"],
    )
    job = replace(job, outputs_folder=device.outputs_folder(job))
    result = device.run(job, lambda _: None, 60)
    answers = folder / "answers.safetensors"
    device.pull(result.outputs, result.outputs_sha256, result.outputs_bytes, answers)
    device.discard(settings["inputs_sha256"])
    return read_outputs(answers)["0"]


def read_outputs(path: str | Path) -> dict[str, Any]:
    """The outputs in a file, by position."""
    return dict(load_file(path))
