"""Seeded samples for models without data, the same to calibrate, to check and to measure with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebench.errors import UnsupportedModelError
from mobilebench.models.array import Array
from mobilebench.records.interface import Interface, Quantization, TensorInfo, matched

#: What integers of 32 and 64 bits may be: indices, as TensorFlow's benchmark_model draws them.
_LARGEST_INDEX = 99


def noise(
    interfaces: Sequence[Interface], count: int, seed: int, rows: Mapping[int, int] | None = None
) -> dict[str, Array]:
    """Samples that every variant of a model can answer.

    Real numbers are uniform in [0, 1), or over the real range of the variant that has the input
    quantized, so that its integers take all their values. Other 8- and 16-bit integers take their
    whole range, wider ones 0 to 99, and what looks up rows of a table stays within it.

    Args:
        interfaces: of the variants; the first one's inputs are meant.
        count: how many samples.
        seed: of the noise.
        rows: by the position of an input that looks up rows of a table: how many it has.

    Returns:
        by the position of each input, as text: (count, *shape of one sample*); real numbers are
        float32, also for a quantized input.

    Raises:
        UnsupportedModelError: an input takes neither numbers nor truth values.
    """
    first, *others = interfaces
    generator = np.random.default_rng(seed)
    found = {}
    for position, taken in enumerate(first.inputs):
        twins = [taken, *(matched(first.inputs, other.inputs)[position][1] for other in others)]
        ranges = [real_range(t.dtype, t.quantization) for t in twins if t.quantization]
        lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
        found[str(position)] = draw(
            generator,
            (count, *sample_shape(taken)),
            _kind(taken),
            (min(lows), max(highs)) if ranges else None,
            (rows or {}).get(position),
        )
    return found


def sample_shape(taken: TensorInfo) -> tuple[int, ...]:
    """The shape of one sample: without the batch, which is the first of several dimensions."""
    shape = tuple(1 if n is None else n for n in taken.shape)
    return shape[1:] if len(shape) > 1 else shape


def real_range(dtype: Any, quantization: Quantization) -> tuple[float, float]:
    """The smallest and the largest real number that a quantized type stands for."""
    limits = np.iinfo(np.dtype(dtype))
    low, high = (
        quantization.scale * (int(n) - quantization.zero_point) for n in (limits.min, limits.max)
    )
    return low, high


def draw(
    generator: np.random.Generator,
    shape: tuple[int, ...],
    kind: np.dtype[Any],
    limits: tuple[float, float] | None = None,
    rows: int | None = None,
) -> Array:
    """Values for one input.

    Args:
        generator: what they are drawn from.
        shape: of all of them.
        kind: the input's type.
        limits: of real numbers, where the input is quantized.
        rows: of the table that the input looks up, if it does.

    Returns:
        float32 for real numbers, else the input's type.
    """
    if kind.kind == "b":
        return generator.integers(0, 2, shape).astype(kind)
    if kind.kind not in "iu" or limits is not None:
        low, high = limits or (0.0, 1.0)
        values = generator.random(shape, dtype=np.float32)
        return np.asarray(low + (high - low) * values, np.float32)
    range_ = np.iinfo(kind)
    least, most = (range_.min, range_.max) if kind.itemsize <= 2 else (0, _LARGEST_INDEX)
    if rows is not None:
        least, most = 0, min(most, rows - 1)
    return generator.integers(least, most, shape, dtype=kind, endpoint=True)


def _kind(taken: TensorInfo) -> np.dtype[Any]:
    try:
        kind = np.dtype(taken.dtype)
    except TypeError:  # strings, resources, integers of 4 bits
        kind = np.dtype(object)
    if kind.kind not in "biuf":
        raise UnsupportedModelError(
            f"no noise can be made for input {taken.name!r} of type {taken.dtype}"
        )
    return kind
