"""What the scripts of both frameworks say and are given; they run without MobileBench.

The request is a JSON file: ``source``, ``folder`` (for what is made), ``shapes`` and ``samples``
(by input; empty for the only one), ``seed``. What is made: ``model.tflite``, ``answers.npz`` with
``input_0``… and ``output_0``… (samples, *shape of a call*), and ``result.json``: ``inputs`` and
``outputs``, their names, or ``reason``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Calls that answers are compared on.
CALLS = 4


class RefusedError(Exception):
    """Why the model cannot be converted, in one sentence."""


def serve(convert: Callable[[dict[str, Any], Path], dict[str, Any]]) -> None:
    """Converts what the request on the command line names."""
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    folder = Path(request["folder"])
    try:
        result = convert(request, folder)
    except RefusedError as error:
        result = {"reason": str(error)}
    (folder / "result.json").write_text(json.dumps(result), "utf-8")


def fixed_shape(
    name: str, shape: list[int | None], request: dict[str, Any], only: bool
) -> list[int]:
    """An input's shape without open dimensions: as given, or the data's, and an open batch is one.

    ``shape`` has None for what is open.
    """
    given = request["shapes"].get(name) or (only and request["shapes"].get(""))
    sample = request["samples"].get(name) or (only and request["samples"].get(""))
    tries: list[Any] = [given] if given else [[1, *shape[1:]]]
    if sample and not given:
        tries += [[1, *sample], [1, *sample, 1], [1, 1, *sample]]
    for found in tries:
        fits = len(found) == len(shape) and None not in found
        if fits and all(n in (None, m) for n, m in zip(shape, found, strict=True)):
            return [int(n) for n in found]
    if given:
        raise RefusedError(
            f"its input {name!r} is {shape}, and the shape {given} was given; only what is open "
            "can be given"
        )
    raise RefusedError(
        f"its input {name!r} has an open shape {shape}; give one with shapes (--input-shape)"
    )


def keep_answers(folder: Path, calls: list[list[Any]], answers: list[list[Any]]) -> None:
    """Writes calls (a list of input arrays each) and their answers."""
    arrays: dict[str, Any] = {}
    for kind, rows in (("input", calls), ("output", answers)):
        for number in range(len(rows[0])):
            arrays[f"{kind}_{number}"] = np.stack([row[number] for row in rows])
    np.savez(folder / "answers.npz", **arrays)


def noise(shape: Any, dtype: Any, random: np.random.Generator) -> Any:
    """Real numbers from 0 to 1, and small whole ones."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return random.random(shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)
