"""Data: to train with, to calibrate with, to evaluate with.

A dataset is read as it is (``load_dataset``) and then brought into the format of one model
(``Dataset.for_model``). Whatever does not fit is refused in one sentence.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, did_you_mean, first_line
from mobilebench.models import images
from mobilebench.models.array import Array
from mobilebench.models.inputs import SEPARATOR, named_of, whole
from mobilebench.models.labels import class_numbers
from mobilebench.models.spec import NAMED_DATASETS

Labelled = tuple[Array, Array]

#: What an .npz file may unpack to.
_LARGEST_ARCHIVE = 8 * 2**30

#: The data that MobileBench brings along, and whether their integers are 8-bit levels.
_SHIPPED = {
    "mnist-subset": ("mnist_subset.npz", True),
    "spoken-digits": ("spoken_digits.npz", True),
    "sms-spam": ("sms_spam.npz", False),
}

_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test", "x_calibration")


@dataclass(frozen=True)
class Dataset:
    """Samples, some of them labelled.

    Attributes:
        name: ``mnist-subset``, ``mnist-full``, ``fashion-mnist``, …, or the file's name.
        origin: what error messages call it: the name or the file's path.
        train: samples (count, *shape*) and class indices (count,), or None.
        calibration: samples without labels, or None.
        evaluation: samples and class indices, or None; never used to train or to calibrate.
        digest: SHA-256 of the content.
        seed: of the noise that ``random`` makes, else None.
        levels: integers are 8-bit levels of gray or sound, which any model takes as 0..1.
        named: calibration samples for a model with several inputs: by input, (count, …) each.
    """

    name: str
    origin: str
    train: Labelled | None
    calibration: Array | None
    evaluation: Labelled | None
    digest: str
    seed: int | None = None
    levels: bool = False
    named: Mapping[str, Array] | None = None

    def for_model(
        self,
        input_shape: tuple[int, ...],
        classes: int | None,
        *,
        scale: bool = False,
        stored: np.dtype[Any] | None = None,
    ) -> Dataset:
        """The same data as a model takes them: float32, in the model's input shape.

        Args:
            input_shape: of one sample, without the batch.
            classes: how many classes the model distinguishes; None if it is no classifier.
            scale: whether integer images (0..255) become 0..1, as the zoo's models want them;
                MNIST's always do, and a user's own model takes its own data as they are.
            stored: the integer type in which integers go into the model as they are; None: they
                are real numbers like any other.

        Raises:
            BadInputError: samples of another shape, labels that are not among the classes, or
                integers beyond the range of ``stored``.
        """
        scale = scale or self.levels

        def fit(x: Array, key: str) -> Array:
            where = f"{self.origin}: {key}"
            return _as_input(x, input_shape, scale=scale, stored=stored, where=where)

        def fit_labelled(pair: Labelled | None, key: str) -> Labelled | None:
            if pair is None:
                return None
            x, y = pair
            where = f"{self.origin}: y_{key}"
            if classes is None:
                raise BadInputError(
                    f"{where} has class labels, but the model is no classifier: its output is not "
                    "one score a class; give calibration samples only"
                )
            if int(y.max()) >= classes:
                raise BadInputError(
                    f"{where} has label {int(y.max())}, and the model has {classes} classes: "
                    f"labels must be 0 to {classes - 1}"
                )
            return fit(x, f"x_{key}"), y

        return replace(
            self,
            train=fit_labelled(self.train, "train"),
            calibration=None
            if self.calibration is None
            else fit(self.calibration, "x_calibration"),
            evaluation=fit_labelled(self.evaluation, "test"),
        )

    @property
    def sample_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample by input, as it was read; empty for the only input."""
        if self.named is not None:
            return {name: x.shape[1:] for name, x in self.named.items()}
        labelled = self.evaluation or self.train
        x = self.calibration if labelled is None else labelled[0]
        return {} if x is None else {"": x.shape[1:]}

    def calibration_samples(self, count: int, seed: int) -> Array | None:
        """Up to ``count`` samples to calibrate with: the calibration set's, else training's."""
        pool = self.calibration
        if pool is None:
            pool = None if self.train is None else self.train[0]
        if pool is None:
            return None
        chosen = np.random.default_rng(seed).permutation(len(pool))[:count]
        return pool[np.sort(chosen)]


def load_dataset(source: str, *, seed: int = 0) -> Dataset:
    """Reads a dataset.

    Args:
        source: ``mnist-subset``, ``spoken-digits`` or ``sms-spam`` (shipped), ``mnist`` or
            ``fashion-mnist`` (all 70,000 images, see ``mobilebench.models.images``), ``random``
            (seeded noise, to calibrate only), or the path of an ``.npz`` file
            (``x_train``, ``y_train``, ``x_test``, ``y_test``, ``x_calibration``; each optional,
            labels with their samples; or ``x_calibration/NAME`` for each of several inputs) or of
            a ``.py`` file with any of ``get_calibration_data()`` (samples; for several inputs
            mappings by input, one a sample or one of arrays), ``get_training_data()`` and
            ``get_evaluation_data()`` (samples and labels: two arrays, or pairs).
        seed: of ``random``.

    Raises:
        BadInputError: no such dataset, or one that is empty, torn or wrongly shaped.
    """
    if source in _SHIPPED:
        file, levels = _SHIPPED[source]
        path = Path(__file__).with_name("data") / file
        return replace(_from_arrays(source, source, _read_npz(path, source)), levels=levels)
    if source in images.NAMES:
        return replace(_from_arrays(images.NAMES[source], source, images.load(source)), levels=True)
    if source == "random":
        digest = hashlib.sha256(f"random {seed}".encode()).hexdigest()
        return Dataset("random", "random", None, None, None, digest, seed)
    path = Path(source)
    if path.suffix not in (".npz", ".py"):
        hint = did_you_mean(path.name.lower(), NAMED_DATASETS)
        raise BadInputError(
            f"data {source!r} is unknown: {hint}{'It' if hint else 'it'} must be "
            f"{', '.join(NAMED_DATASETS)}, "
            "or the path of an .npz or .py file"
        )
    if not path.is_file():
        raise BadInputError(f"data file {source} does not exist")
    read = _read_npz if path.suffix == ".npz" else _read_python
    return _from_arrays(path.name, source, read(path, source))


def noise(shape: tuple[int, ...], seed: int) -> Array:
    """Seeded uniform noise between -1 and 1, as float32."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def _read_npz(path: Path, origin: str) -> dict[str, Array]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                size = sum(member.file_size for member in packed.infolist())
            if size > _LARGEST_ARCHIVE:
                raise BadInputError(
                    f"{origin} unpacks to {size / 2**30:.0f} GiB, and "
                    f"{_LARGEST_ARCHIVE / 2**30:.0f} GiB are the most; give fewer samples"
                )
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise BadInputError(f"{origin} is not an .npz archive")
        with archive:
            wanted = [k for k in archive.files if k.split(SEPARATOR)[0] in _NPZ_KEYS]
            return {key: archive[key] for key in wanted}
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


def _read_python(path: Path, origin: str) -> dict[str, Array]:
    module_spec = importlib.util.spec_from_file_location(f"mobilebench_data_{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise BadInputError(f"{origin} cannot be read as a Python file")
    module = importlib.util.module_from_spec(module_spec)
    kept_path = list(sys.path)
    sys.path.insert(0, str(path.resolve().parent))  # so that the file can import its neighbours
    sys.modules[module_spec.name] = module  # where dataclasses look for a class's module
    try:
        module_spec.loader.exec_module(module)
        arrays: dict[str, Array] = {}
        if hasattr(module, "get_calibration_data"):
            arrays |= _calibration(
                module.get_calibration_data(), f"{origin}: get_calibration_data()"
            )
        for part, function in (("train", "get_training_data"), ("test", "get_evaluation_data")):
            if hasattr(module, function):
                x, y = _pair(getattr(module, function)(), f"{origin}: {function}()")
                arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
    except BadInputError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the user's own code
        raise BadInputError(
            f"{origin} failed with {type(error).__name__}: {first_line(error)}"
        ) from error
    finally:
        sys.path[:] = kept_path
    if not arrays:
        raise BadInputError(
            f"{origin} must define get_calibration_data(), get_evaluation_data() "
            "or get_training_data()"
        )
    return arrays


def _calibration(value: Any, where: str) -> dict[str, Array]:
    """Samples under the key of an .npz file; mappings under one key an input."""
    if isinstance(value, Iterable) and not isinstance(value, np.ndarray | Mapping):
        value = list(value)
        if value and all(isinstance(sample, Mapping) for sample in value):
            names = set(value[0])
            if any(set(sample) != names for sample in value):
                raise BadInputError(f"{where} must give every sample the same inputs")
            value = {name: [sample[name] for sample in value] for name in value[0]}
    if not isinstance(value, Mapping):
        return {"x_calibration": _stack(value, where)}
    return {f"x_calibration{SEPARATOR}{k}": _stack(v, where) for k, v in value.items()}


def _pair(value: Any, where: str) -> Labelled:
    """Samples and labels from two arrays, or from an iterable of pairs."""
    if isinstance(value, tuple) and len(value) == 2:
        return _stack(value[0], where), _stack(value[1], where)
    pairs = list(value) if isinstance(value, Iterable) else []
    if not pairs or not all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs):
        raise BadInputError(
            f"{where} must return samples and labels: two arrays, or (sample, label) pairs"
        )
    return _stack([p[0] for p in pairs], where), _stack([p[1] for p in pairs], where)


def _stack(value: Any, where: str) -> Array:
    if not isinstance(value, np.ndarray):
        if not isinstance(value, Iterable):
            raise BadInputError(f"{where} must return an array or an iterable of samples")
        try:
            return np.stack([np.asarray(sample) for sample in value])
        except ValueError as error:
            raise BadInputError(
                f"{where} must return at least one sample, and samples of one shape"
            ) from error
    return value


def _from_arrays(name: str, origin: str, arrays: Mapping[str, Array]) -> Dataset:
    if not arrays:
        raise BadInputError(f"{origin} has none of the keys {', '.join(_NPZ_KEYS)}")
    named = named_of(arrays, origin)
    for key, array in (arrays if named else {}).items():
        _check_samples(array, f"{origin}: {key}")
    calibration = arrays.get("x_calibration")
    if calibration is not None:
        _check_samples(calibration, f"{origin}: x_calibration")
    return Dataset(
        name,
        origin,
        train=_labelled(arrays, "train", origin),
        calibration=calibration,
        evaluation=_labelled(arrays, "test", origin),
        digest=_digest(arrays),
        named=named,
    )


def _labelled(arrays: Mapping[str, Array], part: str, origin: str) -> Labelled | None:
    x, y = arrays.get(f"x_{part}"), arrays.get(f"y_{part}")
    if x is None and y is None:
        return None
    if x is None or y is None:
        missing, there = ("x", "y") if x is None else ("y", "x")
        raise BadInputError(f"{origin} has {there}_{part} but no {missing}_{part}")
    _check_samples(x, f"{origin}: x_{part}")
    where = f"{origin}: y_{part}"
    y = class_numbers(y, where)
    if len(x) != len(y):
        raise BadInputError(f"{where} has {len(y)} labels for the {len(x)} samples of x_{part}")
    if int(y.min()) < 0:
        raise BadInputError(f"{where} has label {int(y.min())}: labels count from 0")
    return x, y


def _check_samples(x: Array, where: str) -> None:
    if x.ndim < 1 or len(x) == 0 or x.size == 0:
        raise BadInputError(f"{where} is empty: it must hold at least one sample")
    if not (np.issubdtype(x.dtype, np.number) or x.dtype == np.bool_) or np.iscomplexobj(x):
        raise BadInputError(f"{where} must hold real numbers, not {x.dtype}")
    if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
        raise BadInputError(f"{where} has NaN or infinite values: every value must be finite")


def _as_input(
    x: Array,
    input_shape: tuple[int, ...],
    *,
    scale: bool,
    stored: np.dtype[Any] | None,
    where: str,
) -> Array:
    """Samples as float32 in the input's shape; integers in their own type, if there is one.

    Only what keeps the order of the values is reshaped: flattening, and axes of size 1.
    """
    shape = x.shape[1:]
    flat = len(shape) == 1 or len(input_shape) == 1
    squeezed = [n for n in shape if n != 1] == [n for n in input_shape if n != 1]
    if int(np.prod(shape)) != int(np.prod(input_shape)) or not (flat or squeezed):
        raise BadInputError(
            f"{where} has samples of shape {shape}, and the model takes {input_shape}"
        )
    if stored is not None and not np.issubdtype(x.dtype, np.floating):
        return whole(x, stored, where).reshape(len(x), *input_shape)
    with np.errstate(over="ignore"):
        values: Array = x.astype(np.float32)
    if not np.isfinite(values).all():
        raise BadInputError(
            f"{where} has samples with values beyond the range of float32 (3.4e38); scale them"
        )
    if scale and np.issubdtype(x.dtype, np.integer):
        values /= np.float32(255)
    return values.reshape(len(x), *input_shape)


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
