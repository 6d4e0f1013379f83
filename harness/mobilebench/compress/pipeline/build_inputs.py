"""The inputs that the variants of one model are built from, and their keys in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from mobilebench.compress.checks.samples import Integers, Samples
from mobilebench.compress.foreign.convert import Converted
from mobilebench.compress.pipeline.cache import key_of, versions_of
from mobilebench.compress.pipeline.latency import LatencyProbe
from mobilebench.compress.registry import PlugIn, plug_in_of
from mobilebench.compress.step import BaselineStep, QuantizingStep, Step, TrainingStep
from mobilebench.compress.steps.baseline import Float32
from mobilebench.errors import BadInputError
from mobilebench.models.datasets import Dataset, load_dataset
from mobilebench.models.sources import Source, find_source, find_student, find_teachers
from mobilebench.models.spec import ModelSpec
from mobilebench.tflite import entry, interface
from mobilebench.tflite.floats import has_halves

Steps = tuple[Step, ...]
#: From a source, the shapes that were given and those of the data's samples.
Convert = Callable[[Source, Mapping[str, Sequence[int]], Mapping[str, Sequence[int]]], Converted]


@dataclass(frozen=True)
class BuildInputs:
    """One model, with everything else that its recipes may use.

    Attributes:
        spec: the model, as the suite has it.
        source: where it comes from.
        content: of a ready file: what of it is run, on which shapes; of another framework's model:
            what it was converted to.
        converted: how it was converted, or None.
        run_as: which signature and shapes these are, where the file leaves that open.
        student: the smaller network that some recipes train, or None.
        teachers: of distillation; none stands for the model itself.
        samples: its data.
        seed: of training, calibration and noise.
        latency_probe: measures latency on a device, or None.
    """

    spec: ModelSpec
    source: Source
    content: bytes | None
    run_as: str
    student: Source | None
    teachers: tuple[Source, ...]
    samples: Samples
    seed: int
    latency_probe: LatencyProbe | None
    converted: Converted | None = None

    @classmethod
    def gather(
        cls,
        spec: ModelSpec,
        seed: int,
        latency_probe: LatencyProbe | None = None,
        convert: Convert | None = None,
    ) -> BuildInputs:
        """Finds them.

        Args:
            spec: the model, as the suite has it.
            seed: see the attributes.
            latency_probe: see the attributes.
            convert: what converts another framework's model, with the shapes that were given and
                those of the data's samples.

        Raises:
            BadInputError: the model, its student, a teacher or its data do not exist or are not
                sound, or a ready file has an input of an open shape.
        """
        source = find_source(spec.source)
        if (source.trainable or source.is_foreign) and (
            spec.signature or (spec.shapes and source.zoo)
        ):
            given = "signature" if spec.signature else "shapes"
            raise BadInputError(
                f"model {spec.name!r}: {given} is for files that leave it open, and {source.name} "
                "is built with its own"
            )
        student = find_student(spec, source)
        teachers = tuple(find_teachers(spec))
        for file in teachers:
            if file.kind == "tflite":
                entry.require_fixed(interface.read(file.read(), file.text), file.text)
        data = spec.data or (None if source.zoo is None else source.zoo.data)
        raw = load_dataset(data or "random", seed=seed)
        converted = None
        if source.is_foreign and convert is not None:
            converted = convert(source, spec.shapes, raw.sample_shapes)
        content = converted.content if converted else _content(source, spec, raw)
        if content is not None:
            taken = interface.read(content, source.text)
            entry.require_fixed(taken, source.text)
            entry.require_numbers(taken, source.text)
        samples = Samples(
            raw,
            given=data is not None,
            levels=source.levels,
            model=source.text,
            seed=seed,
            integers=_integers(content, spec),
            task=spec.task or "",
            split=spec.split,
        )
        run_as = _chosen(spec)
        if content is not None and converted is None:
            run_as = entry.run_as(source.read(), content, source.text)
        return cls(
            spec,
            source,
            content,
            run_as,
            student,
            teachers,
            samples,
            seed,
            latency_probe,
            converted,
        )

    def key(self, steps: Steps) -> str:
        """The cache's key of the variant after these steps: a hash of all that it depends on."""
        return self._key(steps, [self.samples.digest, self.samples.have_classes])

    def training_key(self, steps: Steps) -> str:
        """The key of the Keras model after these steps, of which test samples are no part."""
        return self._key(steps, [self.samples.raw.making_digest])

    def _key(self, steps: Steps, data: list[object]) -> str:
        student = trains_student(steps)
        taught = any(isinstance(step, TrainingStep) and step.needs_teachers for step in steps)
        return key_of(
            {
                "source": self.source.digest,
                "settings": asdict(self.source.settings),
                "student": self.student.digest if student and self.student else None,
                "teachers": [t.digest for t in self.teachers] if taught else [],
                "data": [*data, self.samples.given],
                "code": self.samples.raw.code,
                "steps": [[step.name, step.model_dump()] for step in steps],
                "plug_ins": [asdict(plug_in) for plug_in in plug_ins_of(steps)],
                "chosen": [self.spec.signature, sorted(self.spec.shapes.items())],
                "content": None
                if self.content is None
                else hashlib.sha256(self.content).hexdigest(),
                "task": self.spec.task if any(isinstance(s, TrainingStep) for s in steps) else None,
                "seed": self.seed,
                "versions": self.versions(steps),
                **self._measured_on(steps),
            }
        )

    def chain(self, steps: Sequence[Step]) -> Steps:
        """The steps that do something: a baseline is the empty chain.

        But for ``float32``, where a ready file's weights must be unpacked for it.
        """
        return tuple(
            step
            for step in steps
            if not isinstance(step, BaselineStep)
            or (isinstance(step, Float32) and self.content is not None and has_halves(self.content))
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
        if self.content is None:
            packages += ["tensorflow", "keras"]
        if uses_quantizer(steps):
            packages.append("litert-quantizer")
        plug_ins = {plug_in.distribution: plug_in.version for plug_in in plug_ins_of(steps)}
        return {**versions_of(*packages), **plug_ins}


def _chosen(spec: ModelSpec) -> str:
    """What the suite chooses of its model, in words."""
    said = [f"signature {spec.signature}"] if spec.signature else []
    said += [f"{name} {list(shape)}".strip() for name, shape in spec.shapes.items()]
    return ", ".join(said)


def _content(source: Source, spec: ModelSpec, raw: Dataset) -> bytes | None:
    """A ready file as it is run: the signature and the shapes that were chosen, or the data's.

    Raises:
        BadInputError: it does not have what was chosen, or an open shape remains.
    """
    if source.kind != "tflite":
        return None
    content = chosen(source, spec)
    taken = interface.read(content, source.text)
    if shapes := entry.of_samples(taken, raw.sample_shapes):
        content = entry.enter(content, source.text, shapes=shapes)
        taken = interface.read(content, source.text)
    return content


def chosen(source: Source, spec: ModelSpec) -> bytes:
    """A ready file with the signature and the shapes that the suite chooses for its model.

    Raises:
        BadInputError: it does not have them.
    """
    return entry.enter(
        source.read(),
        source.text,
        signature=spec.signature,
        shapes=spec.shapes,
        ready=spec.data_for is not None,
    )


def _integers(content: bytes | None, spec: ModelSpec) -> Integers:
    """What integers in the data are: a model of real numbers takes them as such."""
    if content is None or not _takes_integers(content, spec.source):
        return "real"
    if spec.data_for is None or spec.data_for == spec.source:
        return "stored"
    own = find_source(spec.data_for)
    stored = own.kind == "tflite" and _takes_integers(chosen(own, spec), own.text)
    return "stored" if stored else "either"


def _takes_integers(content: bytes, where: str) -> bool:
    return any(end.is_whole for end in interface.read(content, where).inputs)


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
