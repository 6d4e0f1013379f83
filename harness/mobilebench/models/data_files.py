"""The files that data come in: arrays in an .npz, or a Python file that gives them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models import tensor_file
from mobilebench.models.array import Array
from mobilebench.models.gather import Use, checked_weights, gather
from mobilebench.models.hooks import Hooks, hooks_of, load_module, registered, user_code
from mobilebench.models.inputs import ONLY, SEPARATOR, Part
from mobilebench.models.labels import described
from mobilebench.models.mapped import mapped_member

#: What an .npz file may unpack to.
_LARGEST_ARCHIVE = 8 * 2**30

#: The samples that an .npz may have, with the keys of their labels.
PARTS = {"x_train": "y_train", "x_test": "y_test", "x_calibration": None}
KEYS = ("x_train", "y_train", "w_train", "x_test", "y_test", "x_calibration")

_FUNCTIONS = {
    "x_calibration": "get_calibration_data",
    "x_train": "get_training_data",
    "x_test": "get_evaluation_data",
}

#: Which samples have labels, and how many are taken of those that may have no end.
_USES = {
    "x_calibration": Use(labels="none", most=4096),
    "x_train": Use(labels="needed", most=50_000),
    "x_test": Use(labels="allowed", most=50_000),
}


@dataclass(frozen=True)
class Read:
    """What a file has.

    Attributes:
        parts: by ``x_train``, ``x_test`` and ``x_calibration``.
        notes: what to say of how they were understood.
        has_score: whether it defines ``evaluate``.
        custom_objects: classes and functions of Keras that it defines or imports, by the name that
            Keras knows them by.
        code: SHA-256 of the file where it has such, or says how models are trained, else empty.
        hooks: its functions.
    """

    parts: Mapping[str, Part]
    notes: tuple[str, ...] = ()
    has_score: bool = False
    custom_objects: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    hooks: Hooks = field(default_factory=Hooks)


def read_npz(path: Path, origin: str) -> Read:
    """The samples of an .npz file; keys of other names are passed over.

    Raises:
        BadInputError: it is none, or too large, or has Python objects, or parts without others.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                members = packed.infolist()
                size = sum(m.file_size for m in members if m.compress_type != zipfile.ZIP_STORED)
            if size > _LARGEST_ARCHIVE:
                raise BadInputError(
                    f"{origin} unpacks to {size / 2**30:.0f} GiB, and "
                    f"{_LARGEST_ARCHIVE / 2**30:.0f} GiB are the most; give fewer samples, or "
                    "store them with numpy.savez, of which no more is read than is looked at"
                )
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise BadInputError(f"{origin} is not an .npz archive")
        with archive:
            wanted = [k for k in archive.files if k.split(SEPARATOR)[0] in KEYS]
            arrays = {}
            for key in wanted:
                mapped = mapped_member(path, f"{key}.npy")
                arrays[key] = archive[key] if mapped is None else mapped
    except BadInputError:
        raise
    except Exception as error:  # a torn archive fails in many ways: zipfile, zlib, header parser
        if "allow_pickle" not in str(error):
            reason = first_line(error)
        elif zipfile.is_zipfile(path):
            reason = "it holds Python objects, which are not loaded for safety"
        else:
            reason = "it is no archive, so it is torn or something else"
        raise BadInputError(
            f"{origin} cannot be read as an .npz file of plain arrays: {reason}"
        ) from error
    return Read(parts_of(arrays, origin))


def parts_of(arrays: Mapping[str, Array], origin: str) -> dict[str, Part]:
    """The parts of arrays by key, as ``x_test``, ``x_test/NAME`` and ``y_test``.

    Raises:
        BadInputError: none of them, or samples and labels that do not belong together.
    """
    if not arrays:
        raise BadInputError(f"{origin} has none of the keys {', '.join(KEYS)}")
    parts = {}
    for key, labels in PARTS.items():
        prefix = key + SEPARATOR
        named = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
        if named and key in arrays:
            raise BadInputError(
                f"{origin} has {key} and {prefix}{next(iter(named))}: give samples by input, or "
                "without a name for a model with one"
            )
        inputs = named or ({ONLY: arrays[key]} if key in arrays else {})
        y = {} if labels is None else _labels_of(arrays, labels)
        if not inputs:
            if y:
                raise BadInputError(f"{origin} has {labels} but no {key}")
            continue
        if key == "x_train" and not y:
            raise BadInputError(f"{origin} has x_train but no y_train")
        weights = arrays.get("w_train") if key == "x_train" else None
        if weights is not None:
            weights = checked_weights(weights, f"{origin}: w_train")
        parts[key] = part_of(key, inputs, y.get(ONLY, y or None), origin, weights)
    return parts


def _labels_of(arrays: Mapping[str, Array], key: str) -> dict[str, Array]:
    prefix = key + SEPARATOR
    return {
        ONLY if k == key else k.removeprefix(prefix): a
        for k, a in arrays.items()
        if k == key or k.startswith(prefix)
    }


def part_of(
    key: str,
    inputs: Mapping[str, Array],
    labels: Any,
    origin: str,
    weights: Array | None = None,
) -> Part:
    """Samples and labels that were checked; labels of no use are left out with their reason.

    Raises:
        BadInputError: samples that are empty, of the wrong type or not finite, or not as many of
            one input as of another, or as there are labels.
    """
    bare = Part(key, inputs)
    for name, x in inputs.items():
        _check_samples(x, f"{origin}: {bare.where(name)}")
    (first, count), *rest = ((name, len(x)) for name, x in inputs.items())
    for name, other in rest:
        if other != count:
            raise BadInputError(
                f"{origin} has {count} samples for input {first!r} and {other} for {name!r}; "
                "every sample needs a value for each"
            )
    if weights is not None and weights.shape != (count,):
        raise BadInputError(
            f"{origin}: {key} has sample weights of shape {weights.shape} for {count} samples; "
            "give one number each"
        )
    if labels is None:
        return replace(bare, weights=weights)
    several = isinstance(labels, Mapping)
    found = {}
    for name, given in (labels if several else {ONLY: labels}).items():
        y, reason = _checked_labels(np.asarray(given))
        named = f"{PARTS[key]}{SEPARATOR}{name}" if name != ONLY else PARTS[key]
        if y is None:
            of = f"output {name!r}: " if len(labels) > 1 and several else ""
            return Part(key, inputs, reason=f"{of}{reason}")
        if y.ndim == 0 or len(y) != count:
            there = len(y) if y.ndim else 1
            raise BadInputError(
                f"{origin}: {named} has {there} labels for the {count} samples of {key}"
            )
        found[name] = y
    if len(found) > 1:
        return Part(key, inputs, named=found, weights=weights)
    (only,) = found.values()
    return Part(key, inputs, only, weights=weights)


def _checked_labels(y: Array) -> tuple[Array | None, str]:
    """Labels that something can be scored by, or why these are none."""
    if y.dtype.kind == "S" or (y.dtype.kind == "O" and all(isinstance(t, bytes) for t in y.flat)):
        y = np.array([t.decode("utf-8", "replace") for t in y.ravel()]).reshape(y.shape)
    if y.dtype.kind == "O" and all(isinstance(t, str) for t in y.flat):
        y = y.astype(str)
    if y.dtype.kind == "U":
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        return (y, "") if y.ndim == 1 else (None, "the labels are several texts a sample")
    if y.dtype.kind not in "biuf":
        return None, f"{described(y)}, and labels are numbers or texts"
    if y.dtype.kind == "f" and not _are_finite(y):
        return None, "the labels have NaN or infinite values"
    if y.dtype.kind == "f" and y.dtype.itemsize > 8:  # a type that few machines have
        y = y.astype(np.float64)
    return y, ""


def _are_finite(array: Array) -> bool:
    return all(bool(np.isfinite(part).all()) for part in tensor_file.parts(array))


def _check_samples(x: Array, where: str) -> None:
    if x.ndim < 1 or len(x) == 0 or x.size == 0:
        raise BadInputError(f"{where} is empty: it must hold at least one sample")
    if not (np.issubdtype(x.dtype, np.number) or x.dtype == np.bool_) or np.iscomplexobj(x):
        way = (
            ": turn texts into numbers, as the model's first layer or your app does"
            if x.dtype.kind in "OSU"
            else ""
        )
        raise BadInputError(f"{where} must hold real numbers, not {x.dtype}{way}")
    if np.issubdtype(x.dtype, np.floating) and not _are_finite(x):
        raise BadInputError(f"{where} has NaN or infinite values: every value must be finite")


def read_python(path: Path, origin: str) -> Read:
    """What the functions of a Python file give, prepared by its ``prepare``, if it has one.

    Raises:
        BadInputError: it cannot be run, has none of the functions, or one gives something else.
    """
    known = registered()
    module = load_module(path, origin)
    hooks = hooks_of(module, origin)
    custom = {name: own for name, own in registered().items() if known.get(name) is not own}
    custom |= hooks.custom_objects
    parts: dict[str, Part] = {}
    notes: tuple[str, ...] = ()
    for key, function in _FUNCTIONS.items():
        if not hasattr(module, function):
            continue
        where = f"{origin}: {function}()"
        with user_code(path, origin):
            given = gather(getattr(module, function)(), where, _USES[key])
        notes += tuple(note.replace(origin, path.name) for note in given.notes)  # for reports
        parts[key] = hooks.prepared(part_of(key, given.inputs, given.labels, origin, given.weights))
        if hooks.prepare is not None:  # what it gave must be as sound as what it was given
            for name, x in parts[key].inputs.items():
                _check_samples(x, f"{origin}: prepare() on {parts[key].where(name)}")
    if not parts and not custom:
        raise BadInputError(
            f"{origin} must define get_calibration_data(), get_evaluation_data() "
            "or get_training_data()"
        )
    own = custom or hooks.train is not None or hooks.class_weights
    code = hashlib.sha256(path.read_bytes()).hexdigest() if own else ""
    return Read(parts, notes, hooks.evaluate is not None, custom, code, hooks)
