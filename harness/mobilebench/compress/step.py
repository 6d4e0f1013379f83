"""What a compression step is. Each technique declares its own, in its own file.

Importing a step's file imports neither TensorFlow nor NumPy: a recipe is read long before
anything is compressed.
"""

from __future__ import annotations

import enum
import keyword
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: Called with how much is done, and of how much.
    Report = Callable[[int, int], None]

    from mobilebench.compress.teachers import Teacher
    from mobilebench.models.array import Array, Sample
    from mobilebench.models.objective import Loss
    from mobilebench.models.training import Options, TrainingData

#: How a quantizing step chooses its scales.
Algorithm = Literal["min_max", "octav", "mse", "gptq"]

Ranges = Literal["extremes", "average"]


def unreported(_done: int, _total: int) -> None:
    """The callback that ignores how much is done."""


class Form(enum.Enum):
    """What a step takes and gives: how far a model has come on its way through a recipe."""

    KERAS = "a Keras model"
    FLOAT = "a float .tflite"
    QUANTIZED = "a quantized .tflite"
    #: Stored in its final way: another encoding step can go on from it, a quantizer cannot.
    ENCODED = "an encoded .tflite"


class Step(BaseModel):
    """One step of a recipe with its settings: numbers, texts, booleans and None.

    Class attributes:
        name: how recipes call it.
        leading: the setting that may be written without its name: ``prune(0.8)``.
        takes: what it can start from. A Keras model is converted where only a float .tflite is
            taken.
        gives: what it makes.
        before: names of steps that may only come later than this one, each with the reason.
        after: names of steps that may only come earlier than this one, each with the reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: ClassVar[str]
    leading: ClassVar[str] = ""
    takes: ClassVar[frozenset[Form]]
    gives: ClassVar[Form]
    before: ClassVar[Mapping[str, str]] = {}
    after: ClassVar[Mapping[str, str]] = {}

    def objection(self, earlier: Step) -> str:  # noqa: ARG002
        """Why this step makes no sense later than another one; empty if it does.

        For what ``before`` and ``after`` cannot say, such as what depends on settings.
        """
        return ""

    def needs_next(self, following: Step | None) -> str:  # noqa: ARG002
        """Why the next step, or the recipe's end, does not suit this one; empty if it does."""
        return ""

    @classmethod
    def settings(cls) -> list[str]:
        """The names of all settings: the leading one first, those of all training steps last."""
        shared = TrainingStep.model_fields
        return sorted(cls.model_fields, key=lambda name: (name != cls.leading, name in shared))

    def text(self) -> str:
        """The step as a recipe would have it: short, defaults left out."""
        given = []
        for setting in self.settings():
            value = getattr(self, setting)
            if value != type(self).model_fields[setting].default:
                written = _written(value)
                given.append(written if setting == self.leading else f"{setting}={written}")
        return f"{self.name}({', '.join(given)})" if given else self.name


def epochs_field(default: int, least: int = 0) -> Any:
    """How long a step trains: a setting of its own default, and at least 1 where it must."""
    return Field(
        default,
        ge=least,
        le=10_000,
        description=f"passes over the training data, {least} to 10000",
    )


class TrainingStep(Step):
    """A step that changes the Keras model, and needs TensorFlow."""

    takes: ClassVar[frozenset[Form]] = frozenset({Form.KERAS})
    gives: ClassVar[Form] = Form.KERAS

    epochs: int = epochs_field(5)
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="the first learning rate, above 0 and at most 1"
    )

    batch: int | None = Field(
        None, ge=1, le=65_536, description="samples in one step of training, 1 to 65536"
    )
    optimizer: (
        Literal["adam", "adamw", "nadam", "adamax", "adagrad", "rmsprop", "sgd", "lion"] | None
    ) = Field(None, description="Keras' optimizer of that name, instead of the model's own or adam")
    validation: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="the share of the training data that is not learned from, between 0 and 1",
    )
    early_stopping: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="epochs without a smaller loss on the samples of validation after which "
        "training ends, with the best weights",
    )

    @model_validator(mode="after")
    def _judged_by_some(self) -> Self:
        if self.early_stopping is not None and self.validation is None:
            raise ValueError("takes early_stopping with samples to judge by: add validation=0.1")
        return self

    @property
    def options(self) -> Options:
        """What it says of its training."""
        from mobilebench.models.training import Options

        return Options(
            self.batch, self.optimizer, self.learning_rate, self.validation, self.early_stopping
        )

    def train(self, state: State, context: StepContext) -> State:
        """The model after this step; the one before stays as it is.

        Raises:
            StepError: the step had no effect.
        """
        raise NotImplementedError

    @property
    def needs_training_data(self) -> bool:
        """Whether it looks at training data, be it only to judge by them."""
        return self.epochs > 0

    @property
    def needs_device(self) -> bool:
        """Whether it measures latency, so that what it makes depends on a device."""
        return False

    @property
    def needs_student(self) -> bool:
        """Whether it trains the model's student, where it begins a recipe."""
        return False

    @property
    def needs_teachers(self) -> bool:
        """Whether it learns from teachers, so that what it makes depends on them."""
        return False

    def loss_of(self, teachers: Sequence[Teacher]) -> Loss:
        """What the recipe minimizes from this step on, if it ``needs_teachers``."""
        raise NotImplementedError


class QuantizingStep(Step):
    """A step from a float32 .tflite to a smaller one, which needs no TensorFlow."""

    takes: ClassVar[frozenset[Form]] = frozenset({Form.FLOAT})
    gives: ClassVar[Form] = Form.QUANTIZED

    def quantize(
        self, content: bytes, samples: Sequence[Sample] = (), report: Report = unreported
    ) -> Quantized:
        """The quantized file.

        Args:
            content: a float32 .tflite.
            samples: ``calibration_count`` of them or fewer; none if it needs none.
            report: called with how much is done, and of how much, where it takes its time.

        Raises:
            StepError: nothing was quantized, or the model or the samples are not fit for it.
        """
        raise NotImplementedError

    @property
    def calibration_count(self) -> int:
        """How many samples it observes activations on: 0 needs none."""
        return 0


@dataclass(frozen=True)
class Encoded:
    """What an encoding step made.

    Attributes:
        content: the file.
        findings: for the provenance.
        sparse_kernels: how many kernels the runtime computes with as they are stored; a delegate
            leaves their layers alone.
    """

    content: bytes
    findings: dict[str, Any]
    sparse_kernels: int = 0


class EncodingStep(Step):
    """A step that stores the same numbers in another way; it needs no TensorFlow.

    Encoding steps come after a quantizing step, if there is one, in any order, each once.
    """

    takes: ClassVar[frozenset[Form]] = frozenset({Form.FLOAT, Form.QUANTIZED, Form.ENCODED})
    gives: ClassVar[Form] = Form.ENCODED

    def objection(self, earlier: Step) -> str:
        """Why this step makes no sense later than another one; empty if it does."""
        return "it is in the recipe already; once is enough" if earlier.name == self.name else ""

    def encode(self, content: bytes) -> Encoded:
        """The same model in fewer bytes.

        Args:
            content: the .tflite so far.

        Raises:
            StepError: there is nothing to gain.
        """
        raise NotImplementedError


class BaselineStep(Step):
    """No compression: what every other variant is compared with. It is a recipe by itself."""

    takes: ClassVar[frozenset[Form]] = frozenset(Form)
    gives: ClassVar[Form] = Form.FLOAT


@dataclass(frozen=True)
class Quantized:
    """What a quantizing step delivers: the file, and what to say of it."""

    content: bytes
    findings: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """A Keras model on its way through a recipe.

    Attributes:
        model: the Keras model. Steps copy it, they never change it.
        kept: for each prunable kernel, which weights pruning kept; None before pruning.
        codes: for each prunable kernel, which weights share a value, 0 for those that are zero;
            None before clustering.
        loss: what retraining minimizes: None for cross-entropy with the labels, or the
            distillation loss once the recipe has distilled.
        findings: what the last step has to say for the provenance.
        warnings: what it has to say to the user.
    """

    model: Any
    kept: tuple[Array, ...] | None = None
    loss: Loss | None = None
    findings: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    codes: tuple[Array, ...] | None = None

    def masks(self) -> tuple[Array, ...] | None:
        """For each prunable kernel, which weights may be anything but zero; None for all."""
        if self.codes is not None:
            return tuple(codes > 0 for codes in self.codes)
        return self.kept


#: How many networks are compared with the unpruned one, at most, to find the one that meets a
#: latency: a bisection over 32 widths, and then perhaps the narrowest.
MOST_COMPARISONS = 6


@dataclass(frozen=True)
class DeviceLatency:
    """Where a step can have latency measured.

    Attributes:
        device: what it is measured on.
        relative: of a Keras model: its latency as a share of that of the model before
            the step; raises StepError.
    """

    device: str
    relative: Callable[[Any], float]


@dataclass(frozen=True)
class StepContext:
    """What training steps work with.

    Attributes:
        training_data: data, settings and seed; None where the step needs no data.
        student: makes the model's student with fresh weights.
        device_latency: where latency is measured, for steps that say that they need a device.
        teachers: the networks that distillation learns from: the model as it was before the
            recipe, unless the suite names others.
        begins: whether the step is the recipe's first.
    """

    training_data: TrainingData | None
    student: Callable[[], Any]
    device_latency: DeviceLatency | None = None
    teachers: Callable[[], Sequence[Teacher]] = tuple
    begins: bool = True


def _written(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, str) and not _is_bare(value):
        return repr(value)  # such as '2:4', which reads as text only in quotes
    return str(value)


def _is_bare(text: str) -> bool:
    """Whether a recipe's text may have it without quotes; ``global`` is read so, too."""
    return text.isidentifier() and (text == "global" or not keyword.iskeyword(text))
