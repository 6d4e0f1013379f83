"""Data: to train with, to calibrate with, to evaluate with.

A dataset is read as it is (``load_dataset``) and then brought into the format of one model
(``Dataset.for_model``). Whatever does not fit is refused in one sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, did_you_mean
from mobilebench.models import data_files, images, tensor_file
from mobilebench.models.array import Array
from mobilebench.models.hooks import Hooks
from mobilebench.models.inputs import ONLY, Part, Taken, fit_part
from mobilebench.models.labels import class_numbers
from mobilebench.models.spec import NAMED_DATASETS

#: The data that MobileBench brings along, and whether their integers are 8-bit levels.
_SHIPPED = {
    "mnist-subset": ("mnist_subset.npz", True),
    "spoken-digits": ("spoken_digits.npz", True),
    "sms-spam": ("sms_spam.npz", False),
}


@dataclass(frozen=True)
class Dataset:
    """Samples, some of them labelled.

    Attributes:
        name: ``mnist-subset``, ``mnist-full``, ``fashion-mnist``, …, or the file's name.
        origin: what error messages call it: the name or the file's path.
        train: samples with labels, or None.
        calibration: samples without labels, or None.
        evaluation: samples, perhaps with labels, or None; never used to train or to calibrate.
        digest: SHA-256 of the content.
        making_digest: SHA-256 of what models are trained and calibrated with.
        seed: of the noise that ``random`` makes, else None.
        levels: integers are 8-bit levels of gray or sound, which any model takes as 0..1.
        notes: what to say of how the data were understood, a sentence each.
        has_score: whether the data file has its own ``evaluate``.
        custom_objects: classes and functions of Keras that the data file brings, by name.
        code: SHA-256 of the data file where it brings such, else empty.
        hooks: the functions of the data file.
    """

    name: str
    origin: str
    train: Part | None
    calibration: Part | None
    evaluation: Part | None
    digest: str
    making_digest: str
    seed: int | None = None
    levels: bool = False
    notes: tuple[str, ...] = ()
    has_score: bool = False
    custom_objects: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    hooks: Hooks = field(default_factory=Hooks)

    def for_model(
        self, input_shape: tuple[int, ...], classes: int | None, *, scale: bool = False
    ) -> Dataset:
        """The same data as a classifier with one input takes them: float32, in its input's shape.

        Args:
            input_shape: of one sample, without the batch.
            classes: how many classes the model distinguishes; None if it is no classifier.
            scale: whether integer images (0..255) become 0..1, as the zoo's models want them;
                MNIST's always do, and a user's own model takes its own data as they are.

        Raises:
            BadInputError: samples of another shape, or labels to train by that are not among the
                classes.
        """
        taken = Taken(input_shape, np.dtype(np.float32), scale or self.levels)

        def fit(part: Part | None) -> Part | None:
            return part and fit_part(part, {ONLY: taken}, self.origin)

        train = fit(self.train)
        if train is not None:
            y = self.class_numbers()
            if classes is None:
                raise BadInputError(
                    f"{self.origin}: y_train has class labels, but the model is no classifier: its "
                    "output is not one score a class; give calibration samples only"
                )
            if int(y.max()) >= classes:
                raise BadInputError(
                    f"{self.origin}: y_train has label {int(y.max())}, and the model has {classes} "
                    f"classes: labels must be 0 to {classes - 1}"
                )
            train = replace(train, labels=y)
        return replace(
            self, train=train, calibration=fit(self.calibration), evaluation=fit(self.evaluation)
        )

    def class_numbers(self) -> Array:
        """What a classifier is trained by: int64 (count,).

        Raises:
            BadInputError: the labels of the training data are something else.
        """
        assert self.train is not None
        if self.train.labels is None:
            reason = self.train.reason or "there are no labels"
            raise BadInputError(f"{self.origin}: y_train cannot be trained by: {reason}")
        return class_numbers(self.train.labels, f"{self.origin}: y_train")

    @property
    def pool(self) -> Part | None:
        """What is calibrated with: the calibration set, else the training set."""
        return self.calibration or self.train

    @property
    def sample_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample by input, as it was read; empty for the only input."""
        part = self.evaluation or self.train or self.calibration
        return {} if part is None else {name: x.shape[1:] for name, x in part.inputs.items()}

    def calibration_samples(self, count: int, seed: int) -> Array | None:
        """Up to ``count`` samples of a model with one input to calibrate with, as they are."""
        pool = self.pool
        return None if pool is None else pool.drawn(count, seed).x


def load_dataset(source: str, *, seed: int = 0) -> Dataset:
    """Reads a dataset.

    Args:
        source: ``mnist-subset``, ``spoken-digits`` or ``sms-spam`` (shipped), ``mnist`` or
            ``fashion-mnist`` (all 70,000 images, see ``mobilebench.models.images``), ``random``
            (seeded noise, to calibrate only), or the path of an ``.npz`` file
            (``x_train``, ``y_train``, ``x_test``, ``y_test``, ``x_calibration``; each optional,
            training samples with their labels; ``x_test/NAME`` for each of several inputs) or of
            a ``.py`` file with any of ``get_calibration_data()`` (samples),
            ``get_training_data()`` and ``get_evaluation_data()`` (samples and labels: two arrays,
            or pairs; in batches or one by one; samples of several inputs as mappings), and the
            hooks of ``mobilebench.models.hooks``.
        seed: of ``random``.

    Raises:
        BadInputError: no such dataset, or one that is empty, torn or wrongly shaped.
    """
    if source in _SHIPPED:
        file, levels = _SHIPPED[source]
        path = Path(__file__).with_name("data") / file
        return _dataset(source, source, data_files.read_npz(path, source), levels=levels)
    if source in images.NAMES:
        read = data_files.Read(data_files.parts_of(images.load(source), source))
        return _dataset(images.NAMES[source], source, read, levels=True)
    if source == "random":
        digest = hashlib.sha256(f"random {seed}".encode()).hexdigest()
        return Dataset("random", "random", None, None, None, digest, digest, seed)
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
    read_file = data_files.read_npz if path.suffix == ".npz" else data_files.read_python
    return _dataset(path.name, source, read_file(path, source))


def noise(shape: tuple[int, ...], seed: int) -> Array:
    """Seeded uniform noise between -1 and 1, as float32."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def _dataset(name: str, origin: str, read: data_files.Read, *, levels: bool = False) -> Dataset:
    parts = read.parts
    making = {key: part for key, part in parts.items() if key != "x_test"}
    return Dataset(
        name,
        origin,
        train=parts.get("x_train"),
        calibration=parts.get("x_calibration"),
        evaluation=parts.get("x_test"),
        digest=digest_of(*parts.values()),
        making_digest=digest_of(*making.values()),
        levels=levels,
        notes=read.notes,
        has_score=read.has_score,
        custom_objects=read.custom_objects,
        code=read.code,
        hooks=read.hooks,
    )


def digest_of(*parts: Part) -> str:
    """SHA-256 of samples and labels, whatever their order."""
    arrays: dict[str, Array] = {}
    for part in parts:
        arrays |= {part.where(name): x for name, x in part.inputs.items()}
        arrays |= {f"labels of {part.key}": part.labels} if part.labels is not None else {}
        arrays |= {f"labels {name!r} of {part.key}": y for name, y in part.named.items()}
        arrays |= {f"weights of {part.key}": part.weights} if part.weights is not None else {}
    return _digest(arrays)


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        array = arrays[key]
        digest.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
        for part in tensor_file.parts(array):
            digest.update(part.tobytes())
    return digest.hexdigest()
