"""Samples by input: for each input of a model, by its name, as many as for any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array, Sample
from mobilebench.models.spec import Split

#: What stands between ``x_test`` and an input's name, as a key of an .npz file.
SEPARATOR = "/"
#: The only input, where the data do not name it.
ONLY = ""
#: Of the halves of evaluation data; the run's own seed would make others in each run.
_SPLIT_SEED = 20260131


@dataclass(frozen=True)
class Part:
    """Samples for one purpose, and their labels.

    Attributes:
        key: what an .npz file calls them: ``x_test``.
        inputs: by input, (count, *shape*) each; under ``ONLY`` for a model with one.
        labels: (count, …), in any shape, or None.
        reason: why the labels that were given cannot be used, if they cannot.
        named: labels (count, …) of each of several outputs, by its name, or its number from 0.
        weights: (count,) float32, how much each sample counts in training; None for all alike.
    """

    key: str
    inputs: Mapping[str, Array]
    labels: Array | None = None
    reason: str = ""
    named: Mapping[str, Array] = field(default_factory=dict)
    weights: Array | None = None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.inputs.values())))

    @property
    def x(self) -> Array:
        """The samples of a model with one input: (count, *shape*)."""
        (only,) = self.inputs.values()
        return only

    @property
    def y(self) -> Array:
        """The labels, where there are any: (count, …)."""
        assert self.labels is not None
        return self.labels

    def chosen(self, numbers: Array) -> Part:
        """Some of the samples, by their numbers."""
        labels = None if self.labels is None else self.labels[numbers]
        inputs = {name: values[numbers] for name, values in self.inputs.items()}
        named = {name: values[numbers] for name, values in self.named.items()}
        weights = None if self.weights is None else self.weights[numbers]
        return replace(self, inputs=inputs, labels=labels, named=named, weights=weights)

    def drawn(self, count: int, seed: int) -> Part:
        """Up to so many of the samples, drawn by the seed, in their own order."""
        return self.chosen(np.sort(np.random.default_rng(seed).permutation(self.count)[:count]))

    def half(self, split: Split) -> Part:
        """One of two halves that share no sample, in the samples' own order.

        They are drawn by a seed of their own, and so the same in every run.
        """
        order = np.random.default_rng(_SPLIT_SEED).permutation(self.count)
        middle = self.count // 2
        return self.chosen(np.sort(order[:middle] if split == "validation" else order[middle:]))

    def samples(self) -> list[Sample]:
        """One by one."""
        if len(self.inputs) == 1:
            return list(self.x)
        return [{name: x[i] for name, x in self.inputs.items()} for i in range(self.count)]

    def where(self, name: str) -> str:
        """What error messages call the samples of an input."""
        return f"{self.key}{SEPARATOR}{name}" if name != ONLY else self.key


@dataclass(frozen=True)
class Taken:
    """What one input takes.

    Attributes:
        shape: of one sample.
        kind: the type in which values are given: an integer type for whole numbers that go in as
            they are, float32 for real ones, to be quantized where the input is.
        scale: whether integers (0..255) become 0..1.
    """

    shape: tuple[int, ...]
    kind: np.dtype[Any]
    scale: bool = False


@dataclass(frozen=True)
class Fitting:
    """Samples of one input, made what a model takes whenever some are asked for.

    So samples that are mapped from a file are never in memory all at once. It stands for an array
    (count, *shape*) wherever only rows are looked at.

    Attributes:
        read: the samples as they were read, in the model's shape or another order of it.
        taken: what the input takes.
        where: what error messages call them.
    """

    read: Array
    taken: Taken
    where: str

    def __len__(self) -> int:
        return len(self.read)

    def __getitem__(self, numbers: Any) -> Array:
        if isinstance(numbers, int | np.integer):
            row: Array = self[[int(numbers)]][0]
            return row
        return _fit(np.asarray(self.read[numbers]), self.taken, self.where)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all samples together."""
        return (len(self.read), *self.taken.shape)


def match_part(part: Part, wanted: Mapping[str, tuple[int, ...]], origin: str) -> Part:
    """Samples by the names of a model's inputs, one by one, otherwise as they were read.

    Batches of samples become samples, where that alone makes them fit.

    Args:
        part: samples as they were read.
        wanted: the shape of a sample of each of the model's inputs.
        origin: what error messages call the data.

    Raises:
        BadInputError: an input that the data or the model do not have.
    """
    inputs = part.inputs
    if len(inputs) == len(wanted) == 1:  # there is no other that could be meant
        inputs = dict(zip(wanted, inputs.values(), strict=True))
    elif ONLY in inputs:
        raise BadInputError(
            f"{origin}: {part.key} has samples for one input, and the model has {len(wanted)}: "
            f"give {part.key}{SEPARATOR}NAME for each of {', '.join(wanted)}"
        )
    for name in [*wanted, *inputs]:
        if name not in inputs or name not in wanted:
            lack = "no samples for" if name in wanted else "samples for the unknown"
            known = ", ".join(f"{known} {shape}" for known, shape in wanted.items())
            raise BadInputError(
                f"{origin}: {part.key} has {lack} input {name!r}; the model's inputs are {known}"
            )
    labels, named, weights = part.labels, part.named, part.weights
    if _are_batches(inputs, labels, wanted):
        inputs = {name: _unbatched(x) for name, x in inputs.items()}
        labels = None if labels is None else _unbatched(labels)
        named = {name: _unbatched(y) for name, y in named.items()}
        weights = None if weights is None or weights.ndim < 2 else weights.reshape(-1)
    inputs = {name: inputs[name] for name in wanted}
    return replace(part, inputs=inputs, labels=labels, named=named, weights=weights)


def fit_part(part: Part, wanted: Mapping[str, Taken], origin: str) -> Part:
    """Samples as a model takes them: for each input (count, *shape*), in its type.

    Args:
        part: samples as they were read.
        wanted: what each of the model's inputs takes.
        origin: what error messages call the data.

    Raises:
        BadInputError: an input that the data or the model do not have, another shape, fractions
            for whole numbers, or values beyond the type's range.
    """
    matched = match_part(part, {name: taken.shape for name, taken in wanted.items()}, origin)
    several = len(wanted) > 1
    fitted = {
        name: _fit(x, wanted[name], f"{origin}: {part.where(name if several else ONLY)}")
        for name, x in matched.inputs.items()
    }
    return replace(matched, inputs=fitted)


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


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether only the order of the values counts: flattening, and axes of size 1."""
    flat = len(shape) == 1 or len(wanted) == 1
    squeezed = [n for n in shape if n != 1] == [n for n in wanted if n != 1]
    return int(np.prod(shape)) == int(np.prod(wanted)) and (flat or squeezed)


def _are_batches(
    inputs: Mapping[str, Array], labels: Array | None, wanted: Mapping[str, tuple[int, ...]]
) -> bool:
    """Whether every input has samples two axes deep, and so have the labels."""
    sizes = {x.shape[:2] for x in inputs.values()}
    if len(sizes) != 1 or (labels is not None and {labels.shape[:2]} != sizes):
        return False
    return all(
        x.ndim > 2 and not _fits(x.shape[1:], shape) and _fits(x.shape[2:], shape)
        for x, shape in ((x, wanted[name]) for name, x in inputs.items())
    )


def _unbatched(x: Array) -> Array:
    return x.reshape(-1, *x.shape[2:])


def _fit(x: Array, taken: Taken, where: str) -> Array:
    shape = x.shape[1:]
    if not _fits(shape, taken.shape):
        raise BadInputError(
            f"{where} has samples of shape {shape}, and the model takes {taken.shape}"
        )
    if taken.kind.kind in "iu":
        return whole(x, taken.kind, where).reshape(len(x), *taken.shape)
    with np.errstate(over="ignore"):
        values: Array = x.astype(taken.kind)
    if not np.isfinite(values).all():
        raise BadInputError(
            f"{where} has samples with values beyond the range of {taken.kind} "
            f"({np.finfo(taken.kind).max:.2g}); scale them"
        )
    if taken.scale and np.issubdtype(x.dtype, np.integer):
        values /= taken.kind.type(255)
    return values.reshape(len(x), *taken.shape)
