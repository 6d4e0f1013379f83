"""What the variants of one model are made of, and by what the cache knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.compress.baseline import AsIs, Float32
from harness.compress.cache import key_of, versions_of
from harness.compress.distill import Distill
from harness.compress.latency import Stopwatch
from harness.compress.samples import Integers, Samples
from harness.compress.step import QuantizingStep, Step, TrainingStep
from harness.models.datasets import load_dataset
from harness.models.sources import Source, find_source, find_student, find_teachers
from harness.models.spec import ModelSpec
from harness.tflite import interface
from harness.tflite.interface import Interface

Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Ingredients:
    """One model, and everything else that its recipes may use.

    Attributes:
        spec: the model, as the suite has it.
        source: where it comes from.
        student: the smaller network that some recipes train, or None.
        teachers: whom distillation learns from; none stands for the model itself.
        samples: its data.
        seed: of training, calibration and noise.
        stopwatch: measures latency on a device, or None.
    """

    spec: ModelSpec
    source: Source
    student: Source | None
    teachers: tuple[Source, ...]
    samples: Samples
    seed: int
    stopwatch: Stopwatch | None

    @classmethod
    def gather(cls, spec: ModelSpec, seed: int, stopwatch: Stopwatch | None = None) -> Ingredients:
        """Finds them.

        Raises:
            BadInputError: the model, its student, a teacher or its data do not exist or are not
                sound, or a ready file has an input of an open shape.
        """
        source = find_source(spec.source)
        student = find_student(spec, source)
        teachers = tuple(find_teachers(spec))
        for file in (source, *teachers):
            if file.kind == "tflite":
                interface.require_fixed(_interface(file), file.text)
        data = spec.data or (None if source.zoo is None else source.zoo.data)
        samples = Samples(
            load_dataset(data or "random", seed=seed),
            given=data is not None,
            levels=source.levels,
            model=source.text,
            seed=seed,
            integers=_integers(source, spec),
        )
        return cls(spec, source, student, teachers, samples, seed, stopwatch)

    def key(self, steps: Steps) -> str:
        """What the cache calls the variant after these steps: whatever it depends on, hashed."""
        student = trains_student(steps)
        distills = any(isinstance(step, Distill) for step in steps)
        return key_of(
            {
                "source": self.source.digest,
                "settings": asdict(self.source.settings),
                "student": self.student.digest if student and self.student else None,
                "teachers": [t.digest for t in self.teachers] if distills else [],
                "data": [self.samples.raw.digest, self.samples.given],
                "steps": [[step.name, step.model_dump()] for step in steps],
                "seed": self.seed,
                "versions": self.versions(steps),
                **self._measured_on(steps),
            }
        )

    def _measured_on(self, steps: Steps) -> dict[str, str]:
        """The device, where what is made depends on one."""
        if self.stopwatch is None or not any(
            isinstance(step, TrainingStep) and step.needs_device for step in steps
        ):
            return {}
        return {"device": self.stopwatch.device}

    def versions(self, steps: Steps) -> dict[str, str]:
        """Of the packages that make the variant after these steps."""
        packages = ["ai-edge-litert", "numpy"]
        if self.source.kind != "tflite":
            packages += ["tensorflow", "keras"]
        if any(isinstance(step, QuantizingStep) for step in steps):
            packages.append("litert-quantizer")
        return versions_of(*packages)


def _interface(file: Source) -> Interface:
    return interface.read(file.path.read_bytes(), file.text)


def _integers(source: Source, spec: ModelSpec) -> Integers:
    """What integers in the data are: a model of real numbers takes them as such."""
    if source.kind != "tflite" or not any(end.is_whole for end in _interface(source).inputs):
        return "real"
    if spec.data_for is None or spec.data_for == spec.source:
        return "stored"
    own = find_source(spec.data_for)
    stored = own.kind == "tflite" and any(end.is_whole for end in _interface(own).inputs)
    return "stored" if stored else "either"


def trains_student(steps: Sequence[Step]) -> bool:
    """Whether a recipe begins with a network of its own."""
    first = steps[0] if steps else None
    return isinstance(first, TrainingStep) and first.needs_student


def essential(steps: Sequence[Step]) -> Steps:
    """The steps that do something: a baseline is the empty chain."""
    return tuple(s for s in steps if not isinstance(s, Float32 | AsIs))
