"""What a suite says of a model: where it comes from, and which data belong to it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mobilebench.errors import did_you_mean
from mobilebench.models.tasks import TASKS

#: Data that are asked for by name; anything else is a path.
NAMED_DATASETS = (
    "mnist-subset",
    "spoken-digits",
    "sms-spam",
    "mnist",
    "fashion-mnist",
    "random",
)

#: The keys that ask for quality: those of accuracy, and those of whatever scores a task first.
OF_ACCURACY = ("min_accuracy", "max_accuracy_loss")
OF_QUALITY = ("min_quality", "max_quality_loss")
REQUIREMENTS = (*OF_ACCURACY, *OF_QUALITY)

#: A half of the evaluation data: to choose a variant on, or to confirm the choice on.
Split = Literal["validation", "test"]


class ModelSpec(BaseModel):
    """One model of a suite.

    Attributes:
        name: how tables call it.
        source: ``zoo:NAME``, or the path of a ``.keras`` or ``.h5`` file, a SavedModel folder, a
            ``.tflite`` file or one within a ``.task`` bundle, an ``.onnx`` or ``.pt2`` file, or a
            Python file with ``get_model()`` that gives a PyTorch module.
        data: one of ``NAMED_DATASETS`` (``random`` is seeded noise: enough to calibrate an
            architecture, no accuracy), the path of an ``.npz`` file, or of a Python file with
            ``get_calibration_data()`` and ``get_evaluation_data()``. Zoo models bring their own.
        task: one of ``mobilebench.models.tasks.TASKS``; left out, it is found from the labels and
            the outputs.
        student: ``zoo:NAME`` or the path of a ``.keras`` file: the smaller architecture that
            ``distill`` and ``student`` train. Its weights are not used.
        teachers: ``zoo:NAME``, ``.keras`` or ``.tflite`` files: trained models that ``distill``
            learns from, all together, instead of the model itself.
        recipes: recipes for this model alone, instead of the suite's.
        ready: further variants made elsewhere: a name and the path of a ``.tflite`` each,
            compared as they are.
        shapes: of inputs with open dimensions, with the batch: by name, as
            ``{ image = [1, 224, 224, 3] }``, or of the only one, as ``[1, 224, 224, 3]``.
        signature: which one of a file's signatures is run; None: the first.
        split: which half of the evaluation data variants are evaluated on; None: all of them. The
            halves are always the same ones: what was chosen on ``validation`` is confirmed on
            ``test``, whatever the seed.
        min_accuracy: the share of right answers that every variant must at least have, as 0.97.
        data_for: the source that the data were made for, where that is another one; a suite sets
            it for its ready files.
        max_accuracy_loss: how much less than the baseline's it may be, as 0.005 for half a point.
        min_quality: the worst value that a variant may have of the first metric of its task, in
            that metric's unit: the least mIoU (0.8 for 80 %), the largest mean absolute error.
        max_quality_loss: how much worse than the baseline's it may be, in the same unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    source: str = Field(min_length=1)
    data: str | None = None
    task: str | None = None
    student: str | None = None
    teachers: tuple[str, ...] = ()
    recipes: tuple[str | dict[str, object], ...] = ()
    ready: dict[str, str] = Field(default_factory=dict)
    shapes: dict[str, tuple[PositiveInt, ...]] = Field(default_factory=dict)
    signature: str | None = Field(None, min_length=1)
    split: Split | None = None
    data_for: str | None = None
    min_accuracy: float | None = Field(None, strict=True)
    max_accuracy_loss: float | None = Field(None, strict=True)
    min_quality: float | None = Field(None, allow_inf_nan=False)
    max_quality_loss: float | None = Field(None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        asked = [key for key in REQUIREMENTS if getattr(self, key) is not None]
        if {*asked} & {*OF_ACCURACY} and {*asked} & {*OF_QUALITY}:
            raise ValueError(
                f"{asked[0]} and {asked[-1]} ask for two measures of one model: keep either the "
                "keys of accuracy or those of quality"
            )
        return self

    @field_validator("task")
    @classmethod
    def _is_task(cls, task: str | None) -> str | None:
        if task is not None and task not in TASKS:
            hint = did_you_mean(task.lower(), TASKS)
            raise ValueError(f"is no task: {hint}it must be {', '.join(TASKS)}")
        return task

    @field_validator("shapes", mode="before")
    @classmethod
    def _of_the_only_input(cls, shapes: object) -> object:
        return {"": shapes} if isinstance(shapes, list | tuple) else shapes

    @field_validator(*OF_ACCURACY)
    @classmethod
    def _is_share(cls, share: float | None, info: ValidationInfo) -> float | None:
        # No samples can show an accuracy of 1, or that nothing at all is lost.
        if share is not None and not 0 < share < 1:
            example = "0.97 for 97 %" if info.field_name == "min_accuracy" else "0.01 for a point"
            raise ValueError(f"is a share between 0 and 1: write {example}")
        return share
