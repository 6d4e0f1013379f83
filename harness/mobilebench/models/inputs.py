"""Samples for models with several inputs: for each input, by its name, as many as for any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array, Sample

#: What stands between ``x_calibration`` and an input's name, as a key of an .npz file.
SEPARATOR = "/"

_KEY = "x_calibration"


def named_of(arrays: Mapping[str, Array], origin: str) -> dict[str, Array] | None:
    """The calibration samples of a file by input, as they are; None if there are none by input.

    Args:
        arrays: by key: ``x_calibration/NAME``.
        origin: what error messages call the file.

    Raises:
        BadInputError: other samples, too, or not as many for one input as for another.
    """
    prefix = _KEY + SEPARATOR
    named = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
    for key in arrays:
        if not key.startswith(prefix) and (named or SEPARATOR in key):
            raise BadInputError(
                f"{origin} has {key}, and samples by input are for calibration alone: give "
                f"{prefix}NAME for each input and nothing else"
            )
    if not named:
        return None
    (first, length), *rest = ((name, len(a) if a.ndim else 0) for name, a in named.items())
    for name, count in rest:
        if count != length:
            raise BadInputError(
                f"{origin} has {length} samples for input {first!r} and {count} for {name!r}; "
                "every sample needs a value for each"
            )
    return named


def fit_inputs(
    named: Mapping[str, Array], wanted: Mapping[str, tuple[tuple[int, ...], Any]], origin: str
) -> dict[str, Array]:
    """Samples as a model takes them: for each input (count, *shape*), in its type.

    Args:
        named: samples by input, as they were read.
        wanted: the shape of one sample and the type of each of the model's inputs.
        origin: what error messages call the data.

    Raises:
        BadInputError: an input that the data or the model do not have, another shape, or
            fractions for whole numbers.
    """
    for name in [*wanted, *named]:
        if name not in named or name not in wanted:
            lack = "no samples for" if name in wanted else "samples for the unknown"
            raise BadInputError(
                f"{origin} has {lack} input {name!r}; the model's inputs are {_described(wanted)}"
            )
    return {
        name: _fit(named[name], shape, np.dtype(kind), f"{origin}: {_KEY}{SEPARATOR}{name}")
        for name, (shape, kind) in wanted.items()
    }


def choose(fitted: Mapping[str, Array], count: int, seed: int) -> list[dict[str, Array]]:
    """Up to ``count`` samples, each with a value an input, drawn by the seed."""
    length = len(next(iter(fitted.values())))
    chosen = np.sort(np.random.default_rng(seed).permutation(length)[:count])
    return [{name: values[i] for name, values in fitted.items()} for i in chosen]


def whole(x: Array, kind: np.dtype[Any], where: str) -> Array:
    """Whole numbers in an integer type.

    Raises:
        BadInputError: there are fractions, or numbers beyond the type's range.
    """
    if not (x == np.rint(x)).all():
        raise BadInputError(f"{where} must hold whole numbers, since the model takes {kind}")
    limits = np.iinfo(kind)
    if x.min() < limits.min or x.max() > limits.max:
        raise BadInputError(
            f"{where} has whole numbers from {x.min():g} to {x.max():g}, and the model's input "
            f"takes {kind}, {limits.min} to {limits.max}; give such numbers (real ones, float32, "
            "are quantized if the input has a scale)"
        )
    return x.astype(kind)


def columns(samples: Sequence[Sample], names: Sequence[str]) -> list[Array]:
    """For each input, the values of all samples: (samples, *shape*)."""
    named = [s if isinstance(s, Mapping) else {names[0]: s} for s in samples]
    return [np.stack([sample[name] for sample in named]) for name in names]


def _fit(x: Array, shape: tuple[int, ...], kind: np.dtype[Any], where: str) -> Array:
    if [n for n in x.shape[1:] if n != 1] != [n for n in shape if n != 1]:
        raise BadInputError(
            f"{where} has samples of shape {x.shape[1:]}, and the model takes {shape}"
        )
    if kind.kind not in "iu":
        with np.errstate(over="ignore"):
            values: Array = x.astype(kind)
        if not np.isfinite(values).all():
            raise BadInputError(f"{where} has values beyond the range of {kind}; scale them")
        return values.reshape(len(x), *shape)
    return whole(x, kind, where).reshape(len(x), *shape)


def _described(wanted: Mapping[str, tuple[tuple[int, ...], Any]]) -> str:
    return ", ".join(f"{name} {shape}" for name, (shape, _) in wanted.items())
