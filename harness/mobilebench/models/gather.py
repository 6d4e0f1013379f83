"""Arrays from whatever people's functions give: arrays, pairs, mappings, batches, generators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array
from mobilebench.models.inputs import ONLY

#: What is taken of samples that come without a length, and may have no end.
_MOST_BYTES = 2 * 2**30
#: What stands for a box that is not there, where samples have several numbers of them.
_ABSENT = -1


@dataclass(frozen=True)
class Use:
    """What samples are for.

    Attributes:
        labels: whether they have any.
        most: how many items are taken where they come without a length.
    """

    labels: Literal["none", "allowed", "needed"]
    most: int


@dataclass(frozen=True)
class Given:
    """What a function gave.

    Attributes:
        inputs: samples by input, (count, …) each; under ``ONLY`` for a model with one.
        labels: an array (count, …), or one for each output by name, or None.
        weights: (count,) float32, how much each sample counts, or None.
        notes: what to say of how it was understood.
    """

    inputs: dict[str, Array]
    labels: Any = None
    notes: tuple[str, ...] = ()
    weights: Array | None = None


def gather(value: Any, where: str, use: Use) -> Given:
    """Samples, and labels if they have any, as arrays.

    Args:
        value: samples or batches one by one, or all at once; each an array, or a mapping by input,
            or a pair (or with a sample weight, a triple) with its label.
        where: what error messages call the function.
        use: what the samples are for.

    Raises:
        BadInputError: there are none, they have several shapes, or no labels where they need some.
    """
    given = None if use.labels == "none" else _at_once(value, where)
    if given is None and (isinstance(value, Mapping) or _is_array(value)):
        given = Given(_inputs(value, where))
    if given is None:
        given = _one_by_one(value, where, use)
    if use.labels != "needed" and given.weights is not None:
        note = f"{where} has sample weights, which are not used"
        given = replace(given, weights=None, notes=(*given.notes, note))
    if use.labels == "needed" and given.labels is None:
        raise BadInputError(
            f"{where} must return samples and labels: two arrays, or (sample, label) pairs"
        )
    return given


def _at_once(value: Any, where: str) -> Given | None:
    """Samples, labels (and weights) of a tuple or list, if it is one of all at once."""
    if not isinstance(value, tuple | list) or len(value) not in (2, 3):
        return None
    value = _plain(value)
    x, y, weights = (*value, None)[:3]
    if not (_is_pair_of_all(value) if isinstance(value, tuple) else _is_list_of_all(value)):
        return None
    if weights is not None and np.shape(weights) not in ((_count(x),), (_count(x), 1)):
        return None
    counted = None if weights is None else _weights([weights], where, batched=True)
    return Given(_inputs(x, where), _labels(y, where, _count(x)), weights=counted)


def _is_pair_of_all(value: tuple[Any, ...]) -> bool:
    """A tuple is, unless it holds three pairs."""
    return len(value) == 2 or not all(isinstance(v, tuple) and len(v) in (2, 3) for v in value)


def _is_list_of_all(value: list[Any]) -> bool:
    """A list is where its first two things are alike in length, and no samples with labels."""
    first, second, *_ = value
    if isinstance(first, Mapping) and isinstance(second, Mapping) and set(first) == set(second):
        return False  # two samples by input
    if second is None or _is_array(first) or isinstance(first, Mapping):
        return second is None or _count(first) == _count(second)
    if not all(isinstance(item, list) for item in value):
        return False
    if len(first) not in (2, 3):
        return len(first) == len(second)
    # [[x, x], [y, y]] rather than [[x, y], [x, y]]: each list has things of one shape.
    shapes = [{np.shape(thing) for thing in item} for item in value]
    alike = len(first) == len(second) and all(len(shape) == 1 for shape in shapes)
    return alike and shapes[0] != shapes[1]


def _one_by_one(value: Any, where: str, use: Use) -> Given:
    """Samples, pairs or batches of either, as an iterable gives them."""
    if not isinstance(value, Iterable) and not hasattr(value, "__getitem__"):
        raise BadInputError(f"{where} must return an array or an iterable of samples")
    items, cut = _taken(value, use.most)
    notes = (cut.format(where=where),) if cut else ()
    if not items:
        raise BadInputError(f"{where} must return at least one sample, and samples of one shape")
    paired = all(isinstance(item, tuple | list) and len(item) in (2, 3) for item in items)
    if use.labels == "none" or not paired:
        return Given(_joined(items, where, batched=_are_batches(items, None)), None, notes)
    weights = [item[2] if len(item) == 3 else None for item in items]
    samples, labels = [item[0] for item in items], _by_output([item[1] for item in items])
    if all(label is None for label in labels):
        batched = _are_batches(samples, None)
        return Given(_joined(samples, where, batched=batched), None, notes)
    batched = _leads_open(value) or _are_batches(samples, labels)
    y = _joined_labels(labels, where, batched=batched)
    counted = _weights(weights, where, batched=batched)
    return Given(_joined(samples, where, batched=batched), y, notes, counted)


def _weights(weights: Sequence[Any], where: str, *, batched: bool) -> Array | None:
    """How much each sample counts, from a number each, or an array a batch."""
    if all(weight is None for weight in weights):
        return None
    try:
        arrays = [np.asarray(weight, np.float32) for weight in weights]
        found = np.concatenate(arrays) if batched else np.stack(arrays)
    except (TypeError, ValueError) as error:
        raise BadInputError(
            f"{where} must give every sample a weight, a number, or none"
        ) from error
    return checked_weights(found, where)


def checked_weights(weights: Array, where: str) -> Array:
    """How much each sample counts, as float32 (count,).

    Raises:
        BadInputError: they are no numbers of 0 or more.
    """
    if weights.dtype.kind not in "biuf" or not np.isfinite(weights).all() or (weights < 0).any():
        raise BadInputError(f"{where} has sample weights that are not numbers of 0 or more")
    flat = weights[:, 0] if weights.ndim == 2 and weights.shape[1] == 1 else weights
    return flat.astype(np.float32)


def _inputs(value: Any, where: str) -> dict[str, Array]:
    if isinstance(value, Mapping):
        return {str(name): _stack(x, where) for name, x in value.items()}
    return {ONLY: _stack(value, where)}


def _labels(value: Any, where: str, count: int = 0) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(name): _labels(y, where) for name, y in value.items()}
    if _are_of_outputs(value, count):
        return {str(place): _labels(y, where) for place, y in enumerate(value)}
    return np.asarray(value) if _is_array(value) else _joined_labels(list(value), where)


def _are_of_outputs(value: Any, count: int) -> bool:
    """Whether a list has the labels of each of several outputs, rather than of each sample."""
    return (
        isinstance(value, tuple | list)
        and 1 < len(value) != count
        and all((_is_array(y) or isinstance(y, list)) and _count(y) == count for y in value)
    )


def _by_output(labels: list[Any]) -> list[Any]:
    """Tuples of arrays, as tf.data gives labels of several outputs, by the output's number."""
    lengths = {len(y) if isinstance(y, tuple) and any(map(_is_array, y)) else 0 for y in labels}
    if len(lengths) > 1 or max(lengths) < 2:
        return labels
    return [{str(place): one for place, one in enumerate(y)} for y in labels]


def _joined(items: Sequence[Any], where: str, *, batched: bool) -> dict[str, Array]:
    """Samples, or batches of them, by input."""
    if not any(isinstance(item, Mapping) for item in items):
        return {ONLY: _stack(items, where, batched=batched)}
    names = set(items[0]) if isinstance(items[0], Mapping) else set()
    if any(not isinstance(item, Mapping) or set(item) != names for item in items):
        raise BadInputError(f"{where} must give every sample the same inputs")
    return {
        str(name): _stack([item[name] for item in items], where, batched=batched)
        for name in items[0]
    }


def _joined_labels(items: Sequence[Any], where: str, *, batched: bool = False) -> Any:
    """Labels of samples, or of batches; lists of several lengths are padded."""
    if items and isinstance(items[0], Mapping):
        return {
            str(name): _joined_labels([item[name] for item in items], where, batched=batched)
            for name in items[0]
        }
    arrays = [np.asarray(item) for item in items]
    if batched:
        return np.concatenate(arrays)
    if len({array.shape for array in arrays}) > 1:
        arrays = _padded(arrays, where)
    return np.stack(arrays)


def _padded(arrays: Sequence[Array], where: str) -> list[Array]:
    """Lists of boxes, or of whatever a sample may have several of, made one length with -1."""
    full = [a for a in arrays if a.size]
    trailing = {a.shape[1:] for a in full if a.ndim}
    if len(trailing) != 1 or any(a.ndim == 0 or a.dtype.kind not in "biuf" for a in full):
        raise BadInputError(f"{where} must return labels of one shape, or lists of such")
    (shape,) = trailing
    longest, kind = max(len(a) for a in full), np.result_type(*full, np.int8)
    padded = np.full((len(arrays), longest, *shape), _ABSENT, kind)
    for row, array in zip(padded, arrays, strict=True):
        if array.size:
            row[: len(array)] = array
    return list(padded)


def _stack(value: Any, where: str, *, batched: bool = False) -> Array:
    if _is_array(value):
        return np.asarray(value)
    if not isinstance(value, Iterable):
        raise BadInputError(f"{where} must return an array or an iterable of samples")
    try:
        arrays = [np.asarray(sample) for sample in value]
        return np.concatenate(arrays) if batched else np.stack(arrays)
    except ValueError as error:
        raise BadInputError(
            f"{where} must return at least one sample, and samples of one shape"
        ) from error


def _are_batches(samples: Sequence[Any], labels: Sequence[Any] | None) -> bool:
    """Whether the last is a shorter batch: the others are alike, and have as many labels."""
    if len({isinstance(sample, Mapping) for sample in samples}) > 1:
        return False
    named = [s if isinstance(s, Mapping) else {ONLY: s} for s in samples]
    columns = [[np.shape(each.get(name, ())) for each in named] for name in named[0]]
    if max(len(shapes[0]) for shapes in columns) < 2:
        return False  # rows of several lengths
    counts = [shape[:1] for shape in columns[0]]
    if len(set(counts[:-1])) != 1 or counts[-1] >= counts[0]:
        return False
    if labels is not None:
        firsts = [next(iter(y.values())) if isinstance(y, Mapping) else y for y in labels]
        columns.append([np.shape(label) for label in firsts])
    return all(
        [shape[:1] for shape in shapes] == counts and len({s[1:] for s in shapes}) == 1
        for shapes in columns
    )


def _leads_open(value: Any) -> bool:
    """Whether a tf.data.Dataset says that both samples and labels come in batches of any size."""
    spec = getattr(value, "element_spec", None)
    leaves = list(_leaves(spec))
    shapes = [getattr(leaf, "shape", None) for leaf in leaves]
    return len(leaves) > 1 and all(
        shape is not None and shape.rank and shape[0] is None for shape in shapes
    )


def _leaves(spec: Any) -> Iterator[Any]:
    if isinstance(spec, Mapping):
        spec = tuple(spec.values())
    if isinstance(spec, tuple | list):
        for inner in spec:
            yield from _leaves(inner)
    elif spec is not None:
        yield spec


def _taken(value: Any, most: int) -> tuple[list[Any], str]:
    """The items of an iterable, and what to say where they were not all taken."""
    try:
        length: int | None = len(value)
    except (TypeError, ValueError, NotImplementedError):  # it has none, or does not know it
        length = None
    if length is not None and hasattr(value, "__getitem__"):  # it may not stop by itself
        return [_plain(value[number]) for number in range(length)], ""
    items: list[Any] = []
    size = 0
    for item in value:
        if length is None and (len(items) >= most or size > _MOST_BYTES):
            said = f"the first {len(items)} items of {{where}} were taken: it has no length"
            return items, said + ", and perhaps no end"
        items.append(_plain(item))
        size += _bytes(items[-1])
    return items, ""


def _plain(item: Any) -> Any:
    """Arrays in place of the tensors of other libraries, whose shapes are no tuples."""
    if isinstance(item, Mapping):
        return {name: _plain(value) for name, value in item.items()}
    if isinstance(item, tuple | list) and any(map(_is_array, item)):
        return (list if isinstance(item, list) else tuple)(map(_plain, item))
    return np.asarray(item) if _is_array(item) else item


def _bytes(item: Any) -> int:
    if isinstance(item, Mapping):
        return sum(_bytes(value) for value in item.values())
    if isinstance(item, tuple | list):
        return sum(_bytes(value) for value in item)
    return int(getattr(item, "nbytes", 8))


def _count(value: Any) -> int:
    if isinstance(value, Mapping):
        return _count(next(iter(value.values()), ()))
    shape = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else 0
    return len(value) if hasattr(value, "__len__") and not isinstance(value, str) else 0


def _is_array(value: Any) -> bool:
    """An array of NumPy, or what makes one of itself, as tensors and tables do."""
    return hasattr(value, "__array__")
