"""The inputs that the variants of one model are built from, and their keys in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from mobilebench.compress.checks.samples import Integers, Samples
from mobilebench.compress.pipeline.cache import key_of, versions_of
from mobilebench.compress.pipeline.latency import LatencyProbe
from mobilebench.compress.registry import PlugIn, plug_in_of
from mobilebench.compress.step import BaselineStep, QuantizingStep, Step, TrainingStep
from mobilebench.models.datasets import load_dataset
from mobilebench.models.sources import Source, find_source, find_student, find_teachers
from mobilebench.models.spec import ModelSpec
from mobilebench.records.interface import Interface
from mobilebench.tflite import interface

Steps = tuple[Step, ...]


@dataclass(frozen=True)
class BuildInputs:
    """One model, with everything else that its recipes may use.

    Attributes:
        spec: the model, as the suite has it.
        source: where it comes from.
        student: the smaller network that some recipes train, or None.
        teachers: of distillation; none stands for the model itself.
        samples: its data.
        seed: of training, calibration and noise.
        latency_probe: measures latency on a device, or None.
    """

    spec: ModelSpec
    source: Source
    student: Source | None
    teachers: tuple[Source, ...]
    samples: Samples
    seed: int
    latency_probe: LatencyProbe | None

    @classmethod
    def gather(
        cls, spec: ModelSpec, seed: int, latency_probe: LatencyProbe | None = None
    ) -> BuildInputs:
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
        return cls(spec, source, student, teachers, samples, seed, latency_probe)

    def key(self, steps: Steps) -> str:
        """The cache's key of the variant after these steps: a hash of all that it depends on."""
        student = trains_student(steps)
        taught = any(isinstance(step, TrainingStep) and step.needs_teachers for step in steps)
        return key_of(
            {
                "source": self.source.digest,
                "settings": asdict(self.source.settings),
                "student": self.student.digest if student and self.student else None,
                "teachers": [t.digest for t in self.teachers] if taught else [],
                "data": [self.samples.raw.digest, self.samples.given],
                "steps": [[step.name, step.model_dump()] for step in steps],
                "plug_ins": [asdict(plug_in) for plug_in in plug_ins_of(steps)],
                "seed": self.seed,
                "versions": self.versions(steps),
                **self._measured_on(steps),
            }
        )

    def _measured_on(self, steps: Steps) -> dict[str, str]:
        """The device, where what is made depends on one."""
        if self.latency_probe is None or not any(
            isinstance(step, TrainingStep) and step.needs_device for step in steps
        ):
            return {}
        return {"device": self.latency_probe.device}

    def versions(self, steps: Steps) -> dict[str, str]:
        """Of the packages that make the variant after these steps."""
        packages = ["ai-edge-litert", "numpy"]
        if self.source.kind != "tflite":
            packages += ["tensorflow", "keras"]
        if uses_quantizer(steps):
            packages.append("litert-quantizer")
        plug_ins = {plug_in.distribution: plug_in.version for plug_in in plug_ins_of(steps)}
        return {**versions_of(*packages), **plug_ins}


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


def plug_ins_of(steps: Steps) -> tuple[PlugIn, ...]:
    """Where the steps that are not built in come from, in their order.

    Raises:
        BadInputError: the files of one cannot be read.
    """
    found = (plug_in_of(step) for step in steps)
    return tuple(plug_in for plug_in in found if plug_in is not None)


def trains_student(steps: Sequence[Step]) -> bool:
    """Whether a recipe begins with a network of its own."""
    first = steps[0] if steps else None
    return isinstance(first, TrainingStep) and first.needs_student


def uses_quantizer(steps: Sequence[Step]) -> bool:
    """Whether litert-quantizer makes something of it: what a plug-in needs is its own affair."""
    return any(isinstance(step, QuantizingStep) and plug_in_of(step) is None for step in steps)


def essential(steps: Sequence[Step]) -> Steps:
    """The steps that do something: a baseline is the empty chain."""
    return tuple(s for s in steps if not isinstance(s, BaselineStep))
