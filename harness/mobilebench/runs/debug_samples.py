"""The samples on which the operators of a file are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from mobilebench.compress.checks.samples import Samples as ModelData
from mobilebench.compress.checks.samples import UnusableError
from mobilebench.errors import BadInputError, StepError
from mobilebench.models.array import Array
from mobilebench.models.datasets import load_dataset
from mobilebench.runs import references
from mobilebench.runs.samples import Samples, write_inputs
from mobilebench.tflite import entry, interface
from mobilebench.tflite.interpreter import Runner
from mobilebench.tflite.noise import noise


def samples_for(
    content: bytes, where: str, data: str | None, scratch: Path
) -> tuple[bytes, Samples]:
    """The samples that a file is run on: the first of its evaluation data, or seeded noise.

    Args:
        content: the file.
        where: what error messages call it.
        data: as ``--data`` names them; None: noise.
        scratch: where the file of samples goes.

    Returns:
        the file, with the data's shapes where it leaves its own open, and the samples.

    Raises:
        BadInputError: the data are not there or do not fit, or a shape is open.
    """
    raw = load_dataset(data or "random", seed=0)
    shapes = entry.of_samples(interface.read(content, where), raw.sample_shapes)
    content = entry.enter(content, where, shapes=shapes)
    taken = interface.read(content, where)
    entry.require_fixed(taken, where)
    try:
        # No data, or such as are noise themselves.
        if raw.seed is not None:
            rows = Runner(content, delegate=False).table_rows
            return content, stored(scratch, noise([taken], references.COUNT, 0, rows), "noise")
        found = ModelData(
            raw, given=True, levels=False, model=where, seed=0, integers="either"
        ).evaluation(content)
        if found is None:
            raise BadInputError(f"data {raw.name} have no evaluation samples (x_test)")
        first = replace(found.part, labels=None).chosen(
            np.arange(min(references.COUNT, found.part.count))
        )
        return content, stored(scratch, replace(found, part=first).inputs(raw.origin), "data")
    except (StepError, UnusableError) as error:
        raise BadInputError(f"model {where} cannot be run on these samples: {error}") from error


def first_rows(samples: Samples, count: int) -> dict[str, Array]:
    """The inputs of the first samples, by position."""
    with samples.opened() as opened:
        return opened.inputs(0, min(count, samples.count))


def stored(scratch: Path, inputs: dict[str, Array], source: Literal["data", "noise"]) -> Samples:
    """Writes inputs, by position, to a file of samples."""
    path, digest = write_inputs(scratch, inputs)
    return Samples(path, digest, len(next(iter(inputs.values()))), source)
