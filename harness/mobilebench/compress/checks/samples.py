"""What a model is run on while it is compressed: its data, as each of its files takes them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mobilebench.compress.checks import check
from mobilebench.errors import BadInputError
from mobilebench.models.array import Array, Sample
from mobilebench.models.datasets import Dataset
from mobilebench.models.inputs import choose, fit_inputs
from mobilebench.records.interface import TensorInfo
from mobilebench.tflite import interface
from mobilebench.tflite.interpreter import Runner, Tensor

#: What integers in the data are: real numbers, to be quantized for an integer input; values that an
#: integer input takes as they are; or either, as they fit.
Integers = Literal["real", "stored", "either"]

#: The share of values beyond a quantized input's range above which they cannot be meant as reals.
_MOST_CLIPPED = 0.01


class Samples:
    """The data of one model.

    Args:
        raw: as they were read.
        given: whether the model has data, be they random.
        levels: whether its integers become 0..1.
        model: what error messages call it.
        seed: of noise, and of which samples are chosen.
        integers: what the integers of the user's data are.
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
    ) -> None:
        self.raw = raw
        self.given = given
        self._levels = levels
        self._model = model
        self._seed = seed
        self._integers = integers
        self._fitted: tuple[tuple[Any, ...], Dataset] | None = None

    @property
    def are_noise(self) -> bool:
        """Whether the model meets nothing but seeded noise."""
        return not self.given or self.raw.seed is not None

    @property
    def have_labels(self) -> bool:
        """Whether some of the samples have labels."""
        return self.raw.train is not None or self.raw.evaluation is not None

    @property
    def can_calibrate(self) -> bool:
        """Whether there is anything to calibrate with."""
        raw = self.raw
        if raw.seed is not None or raw.named is not None:
            return True
        return raw.calibration_samples(1, 0) is not None

    def fitted(
        self, input_shape: tuple[int, ...], classes: int | None, taken: TensorInfo | None = None
    ) -> Dataset:
        """The data in a model's format; student and model have the same, so one is kept.

        Args:
            input_shape: of one sample.
            classes: of the model's answers.
            taken: the input of a file, which may keep integers as they are.
        """
        stored = None if taken is None else self._stored(taken)
        if self._fitted is None or self._fitted[0] != (input_shape, classes, stored):
            data = self.raw.for_model(input_shape, classes, scale=self._levels, stored=stored)
            self._fitted = ((input_shape, classes, stored), data)
        return self._fitted[1]

    def _stored(self, taken: TensorInfo) -> np.dtype[Any] | None:
        """The integer type in which integers go into an input as they are, or None."""
        if self._integers == "real" or self._levels or self.raw.levels or not taken.is_whole:
            return None
        kind = np.dtype(taken.dtype)
        labelled = self.raw.evaluation or self.raw.train
        x = self.raw.calibration if labelled is None else labelled[0]
        if self._integers == "either" and x is not None and _fits(x, taken, kind):
            return None
        return kind

    def require_fit(self, inputs: int, outputs: int) -> None:
        """Refuses data that no model with so many inputs and outputs can take.

        Raises:
            BadInputError: labels and several of either, or samples for one of several inputs.
        """
        if self.are_noise:
            return
        for count, what in ((inputs, "inputs"), (outputs, "outputs")):
            if count > 1 and self.have_labels:
                raise BadInputError(
                    f"model {self._model} has {count} {what}, and labels need a model with one; "
                    "give calibration samples only"
                )
        if inputs > 1 and self.raw.named is None:
            raise BadInputError(
                f"model {self._model} has {inputs} inputs, and data {self.raw.origin} has samples "
                'for one: give x_calibration/NAME for each input, or data = "random"'
            )

    def to_check(self, content: bytes) -> list[Sample]:
        """What checks run a file on: data if there are any, else noise.

        Raises:
            BadInputError: the data do not fit the model.
        """
        runner = Runner(content)
        if self.are_noise:
            return runner.noise(check.SAMPLES, self._seed)
        taken = interface.read(content, self._model).inputs
        chosen = self._chosen(runner, taken, check.SAMPLES)
        if not chosen and self.raw.evaluation is not None:
            evaluation = self.fitted(runner.input_shape, runner.classes, taken[0]).evaluation
            chosen = [] if evaluation is None else list(evaluation[0][: check.SAMPLES])
        return chosen or runner.noise(check.SAMPLES, self._seed)

    def to_calibrate(self, content: bytes, count: int) -> list[Sample]:
        """Up to ``count`` samples to calibrate a file with.

        Raises:
            BadInputError: the data do not fit the model.
        """
        runner = Runner(content)
        if self.are_noise:
            return runner.noise(count, self._seed)
        return self._chosen(runner, interface.read(content, self._model).inputs, count)

    def _chosen(self, runner: Runner, taken: tuple[TensorInfo, ...], count: int) -> list[Sample]:
        self.require_fit(len(runner.inputs), len(runner.outputs))
        if runner.batch != 1:
            raise BadInputError(
                f"model {self._model} has a fixed batch of {runner.batch}, and data are run one "
                "sample at a time; convert it with a batch of 1, or leave data out"
            )
        named = self.raw.named
        if named is None:
            data = self.fitted(runner.input_shape, runner.classes, taken[0])
            chosen = data.calibration_samples(count, self._seed)
            return [] if chosen is None else list(chosen)
        if len(runner.inputs) == len(named) == 1:  # there is no other that could be meant
            named = {runner.inputs[0].name: next(iter(named.values()))}

        def kind(tensor: Tensor) -> Any:
            """Real numbers are quantized when the model is run; integers may be as they go in."""
            x = named.get(tensor.name)
            stored = self._integers == "stored" and x is not None and x.dtype.kind in "biu"
            return np.float32 if tensor.scale and not stored else tensor.dtype

        wanted = {t.name: (t.sample_shape, kind(t)) for t in runner.inputs}
        chosen_by_input = choose(fit_inputs(named, wanted, self.raw.origin), count, self._seed)
        if len(wanted) == 1:
            return [next(iter(sample.values())) for sample in chosen_by_input]
        return list(chosen_by_input)


def _fits(x: Array, taken: TensorInfo, kind: np.dtype[Any]) -> bool:
    """Whether numbers, taken as real ones, are within a quantized input's range."""
    if taken.quantization is None:
        return False
    scale, zero_point = taken.quantization.scale, taken.quantization.zero_point
    limits = np.iinfo(kind)
    low, high = ((n - zero_point) * scale for n in (limits.min - 0.5, limits.max + 0.5))
    return float(((x < low) | (x > high)).mean()) <= _MOST_CLIPPED
