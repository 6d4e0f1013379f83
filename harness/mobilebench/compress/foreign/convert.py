"""A PyTorch or ONNX model as a .tflite: converted apart, named as its source, and compared with it.

The converter runs in an environment of its own, as a process that a request file is given to. What
it makes keeps the source's names and layout, and must answer as the source framework does.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.compress.foreign import ends, environments
from mobilebench.compress.foreign.environments import CONVERTERS, Converter
from mobilebench.errors import BadInputError, StepError, first_line
from mobilebench.models.array import Array
from mobilebench.models.sources import Source
from mobilebench.text import percent
from mobilebench.tflite import entry, interface

#: How far answers may be from the source framework's, as a share of their spread: said beyond the
#: first, refused beyond the second.
SAID, REFUSED = 1e-3, 0.05
_SECONDS = 3600


@dataclass(frozen=True)
class Converted:
    """A float32 .tflite.

    Attributes:
        content: the file.
        by: the converter and its version.
        error: the largest difference from the framework's own answers, as a share of their spread.
        notes: what to say of it.
    """

    content: bytes
    by: str
    error: float
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> dict[str, Any]:
        """For the provenance."""
        return {"converted_by": self.by, "conversion_error": self.error}


def converter_of(source: Source) -> str:
    """What converts a model of another framework, and in which version.

    Raises:
        BadInputError: its environment is not there.
    """
    converter = CONVERTERS[source.kind]
    python = environments.require(converter, source.text)
    return f"{converter.package} {environments.version_of(python, converter.package)}".strip()


def convert(
    source: Source,
    shapes: Mapping[str, Sequence[int]],
    samples: Mapping[str, Sequence[int]],
    scratch: Path,
) -> Converted:
    """The model as a .tflite.

    Args:
        source: of kind ``torch`` or ``onnx``.
        shapes: of inputs with open dimensions, with the batch, by name; empty for the only one.
        samples: the shape of one sample by input, taken where no other is given.
        scratch: a folder for files in the making.

    Raises:
        BadInputError: there is no environment, the model cannot be converted, or it answers
            otherwise then.
    """
    converter = CONVERTERS[source.kind]
    python = environments.require(converter, source.text)
    request = {
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "samples": {name: list(shape) for name, shape in samples.items()},
        "seed": 0,
    }
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        made = _run(converter, python, source, request, Path(folder))
        return _compared(made, converter, source, converter_of(source), Path(folder))


def _run(
    converter: Converter, python: Path, source: Source, request: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """What the script in the other environment made of it."""
    whole = {**request, "source": str(source.path.resolve()), "folder": str(folder)}
    file = folder / "request.json"
    file.write_text(json.dumps(whole), "utf-8")
    script = Path(__file__).with_name("scripts") / f"{converter.name}_script.py"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "HOME": str(folder),  # nothing is left in the user's
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    try:
        done = subprocess.run(
            [str(python), str(script), str(file)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInputError(
            f"model {source.text}: {converter.package} did not end well: {first_line(error)}"
        ) from error
    try:
        result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        last = f": {lines[-1].strip()}" if lines else ""
        raise BadInputError(
            f"model {source.text}: {converter.package} died with exit code {done.returncode}{last}"
        ) from error
    if "reason" in result:
        raise BadInputError(f"model {source.text}: {result['reason']}")
    return result


def _compared(
    made: dict[str, Any], converter: Converter, source: Source, by: str, folder: Path
) -> Converted:
    """The file with its source's names and layout, held against its source's answers."""
    content = (folder / "model.tflite").read_bytes()
    with np.load(folder / "answers.npz", allow_pickle=False) as archive:
        given = {name: archive[f"input_{i}"] for i, name in enumerate(made["inputs"])}
        wanted = {name: archive[f"output_{i}"] for i, name in enumerate(made["outputs"])}
    try:
        content, moved = ends.as_source(content, given, wanted)
        left_open = {
            end.name: given[end.name].shape[1:]
            for end in interface.read(content, source.text).inputs
            if None in end.shape
        }
        content = entry.enter(content, source.text, shapes=left_open)
        found = ends.run(content, given)
    except StepError as error:
        raise BadInputError(
            f"model {source.text} cannot be used as {by} converted it: {error}"
        ) from error
    apart = max(_apart(found[name], answer) for name, answer in wanted.items())
    notes = [f"outputs got their channels back to where {converter.framework} has them: {moved}"]
    if apart > REFUSED:
        raise BadInputError(
            f"model {source.text} answers otherwise as {by} converted it: outputs differ from "
            f"{converter.framework}'s by {percent(apart, 0)} of their spread, and "
            f"{percent(REFUSED, 0)} may be"
        )
    if apart > SAID:
        notes.append(
            f"its outputs differ from {converter.framework}'s by {percent(apart, 2)} of their "
            "spread"
        )
    return Converted(content, by, apart, tuple(notes if moved else notes[1:]))


def _apart(found: Array, wanted: Array) -> float:
    """The largest difference, as a share of the spread of what is wanted."""
    if found.shape != wanted.shape:
        return float("inf")
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    spread = float(np.ptp(b)) or max(float(np.abs(b).max()), 1e-6)
    largest = float(np.abs(a - b).max())
    return largest / spread if np.isfinite(largest) else float("inf")
