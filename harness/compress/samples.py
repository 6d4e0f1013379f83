"""What a model is run on while it is compressed: its data, as each of its files takes them."""

from __future__ import annotations

import numpy as np

from harness.compress import check
from harness.compress.tflite import Runner
from harness.errors import BadInputError
from harness.models.array import Sample
from harness.models.datasets import Dataset
from harness.models.inputs import choose, fit_inputs


class Samples:
    """The data of one model.

    Args:
        raw: as they were read.
        given: whether the model has data, be they random.
        levels: whether its integers become 0..1.
        model: what error messages call it.
        seed: of noise, and of which samples are chosen.
    """

    def __init__(self, raw: Dataset, *, given: bool, levels: bool, model: str, seed: int) -> None:
        self.raw = raw
        self.given = given
        self._levels = levels
        self._model = model
        self._seed = seed
        self._fitted: tuple[tuple[tuple[int, ...], int | None], Dataset] | None = None

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

    def fitted(self, input_shape: tuple[int, ...], classes: int | None) -> Dataset:
        """The data in a model's format; student and model have the same, so one is kept."""
        if self._fitted is None or self._fitted[0] != (input_shape, classes):
            data = self.raw.for_model(input_shape, classes, scale=self._levels)
            self._fitted = ((input_shape, classes), data)
        return self._fitted[1]

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
        chosen = self._chosen(runner, check.SAMPLES)
        if not chosen and self.raw.evaluation is not None:
            evaluation = self.fitted(runner.input_shape, runner.classes).evaluation
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
        return self._chosen(runner, count)

    def _chosen(self, runner: Runner, count: int) -> list[Sample]:
        self.require_fit(len(runner.inputs), len(runner.outputs))
        if runner.batch != 1:
            raise BadInputError(
                f"model {self._model} has a fixed batch of {runner.batch}, and data are run one "
                "sample at a time; convert it with a batch of 1, or leave data out"
            )
        named = self.raw.named
        if named is None:
            data = self.fitted(runner.input_shape, runner.classes)
            chosen = data.calibration_samples(count, self._seed)
            return [] if chosen is None else list(chosen)
        wanted = {
            t.name: (t.sample_shape, np.float32 if t.scale else t.dtype) for t in runner.inputs
        }
        if len(wanted) == len(named) == 1:  # there is no other that could be meant
            named = dict(zip(wanted, named.values(), strict=True))
        chosen_by_input = choose(fit_inputs(named, wanted, self.raw.origin), count, self._seed)
        if len(wanted) == 1:
            return [next(iter(sample.values())) for sample in chosen_by_input]
        return list(chosen_by_input)
