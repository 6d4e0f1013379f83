"""What a model is run on while it is compressed: its data, as each of its files takes them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from mobilebench.compress.checks import check
from mobilebench.errors import BadInputError
from mobilebench.models import tensor_file
from mobilebench.models.array import Array, Sample
from mobilebench.models.datasets import Dataset, digest_of
from mobilebench.models.inputs import ONLY, Fitting, Part, Taken, fit_part, match_part
from mobilebench.models.labels import are_classes
from mobilebench.models.spec import Split
from mobilebench.models.tensor_file import Streamed
from mobilebench.tflite import interface
from mobilebench.tflite.interpreter import Runner, Tensor

#: What integers in the data are: real numbers, to be quantized for an integer input; values that an
#: integer input takes as they are; or either, as they fit.
Integers = Literal["real", "stored", "either"]

#: The share of values beyond a quantized input's range above which they cannot be meant as reals.
_MOST_CLIPPED = 0.01
#: So many samples to calibrate with can spare those that checks are run on.
_AMPLE = 512
#: So many labelled samples show what a step loses, or as many as a large file's bytes allow.
_MOST_LABELLED = 128
#: Fewer evaluation samples than that are not split.
_FEWEST_TO_SPLIT = 20
_LABELLED_BYTES = 1 << 30
#: The argmax of one score says nothing.
_FEWEST_CLASSES = 2
#: The dimensions of labels that are one-hot.
_ROWS = 2


@dataclass(frozen=True)
class Evaluation:
    """Evaluation data for one file.

    Attributes:
        part: samples as they were read, by the names of the file's inputs.
        wanted: what those take, in the file's order.
        labels: (count, …) as they were read, or None.
        task: what they are for; empty: to be found from labels and outputs.
        reason: why nothing can be scored, if nothing can.
        named: labels of each of several outputs, by its name or number.
        restores: whether the only input's samples are what is to be restored, and so the labels.
    """

    part: Part
    wanted: dict[str, Taken]
    labels: Array | None
    task: str
    reason: str
    named: Mapping[str, Array] = field(default_factory=dict)
    restores: bool = False

    def inputs(self, origin: str) -> dict[str, Array]:
        """By the position of each input: (count, *shape*), as the file takes them."""
        fitted = fit_part(self.part, self.wanted, origin)
        return {str(position): x for position, x in enumerate(fitted.inputs.values())}

    def tensors(self, origin: str) -> dict[str, Streamed]:
        """The same, of which only a part is in memory at a time."""
        bare = replace(self.part, labels=None, named={})
        size = sum(x.nbytes for x in bare.inputs.values())
        rows = tensor_file.rows_of(size, bare.count)

        def parts(position: str) -> Iterator[Array]:
            for start in range(0, bare.count, rows):
                some = bare.chosen(np.arange(start, min(start + rows, bare.count)))
                yield replace(self, part=some).inputs(origin)[position]

        return {
            str(number): Streamed(
                (bare.count, *taken.shape), taken.kind, functools.partial(parts, str(number))
            )
            for number, taken in enumerate(self.wanted.values())
        }


class Samples:
    """The data of one model.

    Args:
        raw: as they were read.
        given: whether the model has data, be they random.
        levels: whether its integers become 0..1.
        model: what error messages call it.
        seed: of noise, and of which samples are chosen.
        integers: what the integers of the user's data are.
        task: what the suite says that the model is for; empty if it says nothing.
        split: which half of the evaluation data is evaluated on; None: all of them.
    """

    def __init__(
        self,
        raw: Dataset,
        *,
        given: bool,
        levels: bool,
        model: str,
        seed: int,
        integers: Integers = "real",
        task: str = "",
        split: Split | None = None,
    ) -> None:
        self.raw = raw
        self.given = given
        self._levels = levels
        self._model = model
        self._seed = seed
        self._integers = integers
        self._task = task
        self.split = split
        self._training: tuple[tuple[Any, ...], Part] | None = None
        labels = [p.labels for p in (raw.train, raw.evaluation) if p and p.labels is not None]
        self.have_classes = any(are_classes(y) for y in labels)

    @property
    def are_noise(self) -> bool:
        """Whether the model meets nothing but seeded noise."""
        return not self.given or self.raw.seed is not None

    @property
    def can_calibrate(self) -> bool:
        """Whether there is anything to calibrate with."""
        return self.raw.seed is not None or self.raw.pool is not None

    @property
    def digest(self) -> str:
        """SHA-256 of all samples that models are made and checked with: no labels to score by."""
        used, evaluation = self.raw.making_digest, self.raw.evaluation
        if evaluation is not None and not self._held(self.raw.pool):
            used += digest_of(replace(evaluation, labels=None))
        return used

    def training(self, shapes: Mapping[str, tuple[int, ...]]) -> Part:
        """Samples to train with, in a Keras model's format, and their labels as they were given.

        They are made so whenever some are asked for: those of a mapped file stay there. Student
        and model have the same, so one is kept.

        Args:
            shapes: of a sample of each of the model's inputs, in its order.

        Raises:
            BadInputError: they do not fit the model.
        """
        key = tuple(shapes.items())
        if self._training is None or self._training[0] != key:
            assert self.raw.train is not None
            part = match_part(self.raw.train, shapes, self.raw.origin)
            scale = self._levels or self.raw.levels
            several = len(shapes) > 1
            inputs: dict[str, Any] = {
                name: Fitting(
                    part.inputs[name],
                    Taken(shape, np.dtype(np.float32), scale),
                    f"{self.raw.origin}: {part.where(name if several else ONLY)}",
                )
                for name, shape in shapes.items()
            }
            for samples in inputs.values():
                samples[:1]  # of the model's shape, or refused here
            self._training = (key, replace(part, inputs=inputs))
        return self._training[1]

    def to_check(self, content: bytes) -> list[Sample]:
        """What checks run a file on: data if there are any, else noise.

        They are none of those that calibrate, unless there are next to none.

        Raises:
            BadInputError: the data do not fit the model.
        """
        runner = Runner(content)
        pool, evaluation = self.raw.pool, self.raw.evaluation
        if self.are_noise or runner.batch != 1 or (pool is None and evaluation is None):
            return runner.noise(check.SAMPLES, self._seed + 1)
        if not self._held(pool) and evaluation is not None:
            part, wanted = self._matched(runner, content, evaluation)
            part = part.drawn(check.SAMPLES, self._seed)
        else:
            assert pool is not None
            part, wanted = self._matched(runner, content, pool)
            order = self._order(part)
            part = part.chosen(np.sort(order[-(self._held(part) or len(order)) :]))
        return fit_part(part, wanted, self.raw.origin).samples()

    def labelled(self, content: bytes) -> tuple[list[Sample], Array] | None:
        """Training samples of a classifier and their class numbers: fewer of a large file.

        Labels of evaluation data are left alone: files are the same whatever those are. None: there
        are none, or the model may be something else.

        Raises:
            BadInputError: the data do not fit the model.
        """
        part = self.raw.train
        if self.are_noise or part is None or self._task not in ("", "classification"):
            return None
        runner = Runner(content)
        if runner.batch != 1 or (runner.classes or 0) < _FEWEST_CLASSES or self.raw.has_score:
            return None
        if part.labels is None or not are_classes(part.labels):
            return None
        part, wanted = self._matched(runner, content, part)
        count = min(_MOST_LABELLED, max(check.SAMPLES, _LABELLED_BYTES // len(content)))
        part = part.drawn(count, self._seed)
        labels = part.y
        if labels.ndim == _ROWS and labels.shape[1] > 1:
            labels = labels.argmax(axis=1)
        return fit_part(part, wanted, self.raw.origin).samples(), labels.reshape(-1)

    def to_calibrate(self, content: bytes, count: int) -> list[Sample]:
        """Up to ``count`` samples to calibrate a file with.

        Raises:
            BadInputError: the data do not fit the model.
        """
        runner = Runner(content)
        if self.are_noise:
            return runner.noise(count, self._seed)
        if runner.batch != 1:
            raise BadInputError(
                f"model {self._model} has a fixed batch of {runner.batch}, and it is calibrated "
                "one sample at a time; convert it with a batch of 1"
            )
        assert self.raw.pool is not None
        part, wanted = self._matched(runner, content, self.raw.pool)
        order = self._order(part)
        chosen = np.sort(order[: len(order) - self._held(part)][:count])
        return fit_part(part.chosen(chosen), wanted, self.raw.origin).samples()

    def evaluation(self, content: bytes) -> Evaluation | None:
        """The evaluation data for a file; None if there are none.

        Raises:
            BadInputError: the samples do not fit the model.
            UnusableError: it takes several samples at once.
        """
        raw = self.raw.evaluation
        if raw is None or self.are_noise:
            return None
        if self.split is not None:
            if raw.count < _FEWEST_TO_SPLIT:
                raise BadInputError(
                    f"data {self.raw.origin}: {raw.count} evaluation samples cannot be split into "
                    f"halves to choose and to confirm on; {_FEWEST_TO_SPLIT} are the least"
                )
            raw = raw.half(self.split)
        runner = Runner(content)
        if runner.batch != 1:
            raise UnusableError(
                f"the model has a fixed batch of {runner.batch}, and they are run one sample at a "
                "time; convert it with a batch of 1"
            )
        part, wanted = self._matched(runner, content, raw)
        task = self._task or ("own" if self.raw.has_score else "")
        if task == "own" and not self.raw.has_score:
            raise BadInputError(
                f"model {self._model}: task 'own' needs a data file with evaluate(outputs, labels)"
            )
        labels, reason = part.labels, part.reason
        unlabelled = labels is None and not part.named and not reason
        restores = unlabelled and task == "reconstruction" and len(wanted) == 1
        if unlabelled and not restores and task != "own":
            reason = f"data {self.raw.name} have no labels"
        return Evaluation(part, wanted, labels, task, reason, part.named, restores)

    def _held(self, pool: Part | None) -> int:
        """How many of the samples to calibrate with are kept for checks.

        Evaluation data are none of them anyway, so few samples need not be spared.
        """
        if pool is None:
            return 0
        if self.raw.evaluation is None:
            return min(check.SAMPLES, pool.count // 4)
        return check.SAMPLES if pool.count >= _AMPLE else 0

    def _order(self, part: Part) -> Array:
        """The numbers of the samples, shuffled: the first calibrate, the last are kept."""
        return np.random.default_rng(self._seed).permutation(part.count)

    def _matched(self, runner: Runner, content: bytes, part: Part) -> tuple[Part, dict[str, Taken]]:
        """Samples by the names of a file's inputs, and what those take, in the file's order."""
        own = [end.name for end in interface.read(content, self._model).inputs]
        names = [tensor.name for tensor in runner.inputs]
        if set(part.inputs) == set(own):  # a file without a signature has names of its tensors
            inputs = {name: part.inputs[o] for o, name in zip(own, names, strict=True)}
            part = replace(part, inputs=inputs)
        shapes = {tensor.name: tensor.sample_shape for tensor in runner.inputs}
        matched = match_part(part, shapes, self.raw.origin)
        wanted = {t.name: self._taken(t, matched.inputs[t.name]) for t in runner.inputs}
        return matched, wanted

    def _taken(self, tensor: Tensor, x: Array) -> Taken:
        """What an input takes: integers as they are, or real numbers."""
        kind, levels = np.dtype(tensor.dtype), self._levels or self.raw.levels
        if kind.kind in "iu" and not tensor.scale:
            return Taken(tensor.sample_shape, kind)
        stored = kind.kind in "iu" and x.dtype.kind in "biu" and not levels
        if stored and (
            self._integers == "stored" or (self._integers == "either" and not _fits(x, tensor))
        ):
            return Taken(tensor.sample_shape, kind)
        real = kind if kind.kind == "b" else np.dtype(np.float32)
        return Taken(tensor.sample_shape, real, levels)


class UnusableError(Exception):
    """Why a file cannot be given the evaluation data, in one sentence."""


def _fits(x: Array, tensor: Tensor) -> bool:
    """Whether numbers, taken as real ones, are within a quantized input's range."""
    assert tensor.real_range is not None
    half = tensor.scale / 2
    low, high = tensor.real_range[0] - half, tensor.real_range[1] + half
    return float(((x < low) | (x > high)).mean()) <= _MOST_CLIPPED
