"""Tensor files: samples for an agent, and what it answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.support.models import sha256


def write_samples(path: Path, *inputs: Any) -> dict[str, str]:
    """A file with samples for each input; returns the settings of a job with it."""
    save_file({str(n): np.array(values, order="C") for n, values in enumerate(inputs)}, path)
    return {"inputs": str(path), "inputs_sha256": sha256(path)}


def read_outputs(path: str | Path) -> dict[str, Any]:
    """The outputs in a file, by position."""
    return dict(load_file(path))
