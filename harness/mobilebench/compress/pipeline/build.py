"""The variants of one model, made one from the other and kept in the cache.

Each step of a recipe makes a .tflite that is checked and kept, so a recipe that begins like
another continues from there: the base model is trained and converted once, and every quantizer
starts from a float32 file that is there already. Training steps go on from the Keras model of
the step before, which is kept for this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from mobilebench.compress.artifact import Artifact, EvaluationSet
from mobilebench.compress.checks import check
from mobilebench.compress.checks.samples import UnusableError
from mobilebench.compress.pipeline.build_inputs import BuildInputs, Steps, plug_ins_of
from mobilebench.compress.pipeline.cache import Cache, CachedFile
from mobilebench.compress.pipeline.converted import converted
from mobilebench.compress.pipeline.keras_models import KerasModels, Report
from mobilebench.compress.pipeline.latency import LatencyProbe
from mobilebench.compress.pipeline.pack import USUAL
from mobilebench.compress.pipeline.requirements import require
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.registry import plug_in_of
from mobilebench.compress.step import (
    BaselineStep,
    Encoded,
    EncodingStep,
    Quantized,
    QuantizingStep,
    State,
    Step,
    TrainingStep,
)
from mobilebench.errors import BadInputError, StepError, UnsupportedModelError, first_line
from mobilebench.models.array import Sample
from mobilebench.models.labels import as_bytes
from mobilebench.models.spec import ModelSpec
from mobilebench.models.tensor_file import Streamed
from mobilebench.records.sizes import FILE
from mobilebench.tflite import entry, hybrid, interface
from mobilebench.tflite.attached import attach
from mobilebench.tflite.floats import has_halves, unpacked
from mobilebench.tflite.interpreter import Runner, zeros_of_loops

_Result = TypeVar("_Result")

_RANDOM = "calibrated with random data: its speed and size count, its answers do not"

_HALVES = "its float16 weights were unpacked to float32 first"


class ModelBuilder:
    """Makes the variants of one model.

    Raises:
        BadInputError: the model, its student or its data do not exist or are not sound.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        seed: int,
        cache: Cache,
        report: Report,
        latency_probe: LatencyProbe | None = None,
        packings: Collection[str] = USUAL,
    ) -> None:
        self._inputs = BuildInputs.gather(
            spec,
            seed,
            latency_probe,
            lambda source, shapes, samples: converted(source, shapes, samples, cache),
        )
        self._cache = cache
        self._packings = packings
        self._report = report
        self._keras = KerasModels(self._inputs, cache, report)
        self._failures: dict[Steps, StepError] = {}
        # Of the file that was last gone on from: many variants go on from the same one.
        self._examined: tuple[str, list[Sample], check.Examination] | None = None

    @property
    def name(self) -> str:
        """What the suite calls the model."""
        return self._inputs.spec.name

    def require(self, recipe: Recipe) -> None:
        """See :func:`mobilebench.compress.pipeline.requirements.require`."""
        require(recipe, self._inputs, self._cache)

    def find(self, recipe: Recipe) -> CachedFile | None:
        """The variant from the cache, if it was made before."""
        return self._cache.find(self._inputs.key(self._inputs.chain(recipe.steps)))

    def begin(self, recipe: Recipe, steps: int) -> None:
        """Makes what a recipe's first so many steps make: others go on from there, too.

        Raises:
            BadInputError, StepError: as of ``build``.
        """
        self._make(self._inputs.chain(recipe.steps)[:steps])

    def build(self, recipe: Recipe) -> Artifact:
        """The variant, from the cache or made now.

        Raises:
            BadInputError: the data do not fit the model.
            StepError: a step failed; its ``step`` attribute has the step's text.
        """
        made = self._make(self._inputs.chain(recipe.steps))
        packed = self._cache.packed_sizes(
            made.sha256,
            self._packings,
            lambda done, total: self._report("measure the download", 100 * done / total, 100),
        )
        evaluation, unused = self._evaluation(made)
        warnings = [*made.warnings, *self._inputs.samples.raw.notes, *unused]
        if self._inputs.source.zoo is not None and self._inputs.source.zoo.training is None:
            warnings.append("random weights: size and latency are valid, accuracy is not")
        return Artifact(
            model=self._inputs.spec.name,
            recipe=recipe.name,
            sha256=made.sha256,
            path=self._cache.path(made.sha256),
            sizes={FILE: made.bytes, **packed},
            interface=interface.read(
                self._cache.path(made.sha256).read_bytes(), self._inputs.source.text
            ),
            run_as=self._inputs.run_as,
            evaluation=evaluation,
            warnings=tuple(warnings),
            provenance={**made.provenance, "recipe": recipe.text, "steps": list(made.steps)},
        )

    def _make(self, steps: Steps) -> CachedFile:
        key = self._inputs.key(steps)
        found = self._cache.find(key)
        if found is not None:
            return found
        if steps in self._failures:
            raise self._failures[steps]
        before = self._make(steps[:-1]) if steps else None
        label = steps[-1].text() if steps else "convert"
        try:
            content, findings, warnings = (
                self._base() if before is None else self._apply(steps, before)
            )
        except StepError as error:
            error.step = label
            self._failures[steps] = error
            raise
        # Of a ready file, or of what a plug-in makes: the steps here write no such layer.
        known = before.warnings if before else ()
        misread = [said for said in hybrid.warnings(content, label) if said not in known]
        entry = {"step": label, "settings": steps[-1].model_dump() if steps else {}, **findings}
        return self._cache.keep(
            key,
            content,
            warnings=(*known, *warnings, *misread),
            steps=(*(before.steps if before else ()), entry),
            provenance={
                "key": key,
                "source": self._inputs.source.name,
                "source_sha256": self._inputs.source.digest,
                "run_as": self._inputs.run_as,
                "student": None if self._inputs.student is None else self._inputs.student.name,
                "data": self._inputs.samples.raw.name,
                "data_sha256": self._inputs.samples.raw.making_digest,
                "seed": self._inputs.seed,
                "versions": self._inputs.versions(steps),
                "plug_ins": [asdict(plug_in) for plug_in in plug_ins_of(steps)],
            },
        )

    def _base(self) -> tuple[bytes, dict[str, Any], tuple[str, ...]]:
        """The model as a .tflite before any step."""
        if self._inputs.content is not None:
            content, where = self._inputs.content, self._inputs.source.text
            made = self._inputs.converted
            if made is not None:
                _, examination = self._start(content)
                findings = {**made.findings, **examination.findings()}
                return content, findings, (*made.notes, *check.base_warnings(examination))
            not_chosen = entry.not_chosen(content, where)
            warnings = (not_chosen,) if not_chosen else ()
            try:
                _, examination = self._start(content)
            except (BadInputError, UnsupportedModelError):
                raise
            except Exception as error:  # whatever it provokes here, a device may run it
                return content, {}, (*warnings, f"its check failed: {first_line(error)}")
            return content, examination.findings(), (*warnings, *check.base_warnings(examination))
        if self._inputs.source.kind == "saved_model":
            from mobilebench.compress.pipeline.convert import SavedModel

            spec = self._inputs.spec
            model = SavedModel(
                self._inputs.source.path,
                spec.signature,
                spec.shapes,
                self._inputs.samples.raw.sample_shapes,
            )
            self._report("convert", 0, 0)
            content = model.convert(self._cache.scratch)
            samples = self._inputs.samples.to_check(content)
            examination = self._examine(content, samples)
            moved = check.compare_conversion(model.run(samples), examination)
            findings = {**examination.findings(), **moved}
            return content, findings, check.base_warnings(examination)
        state = self._keras.after(())
        content, examination, moved = self._export(state)
        findings = {**state.findings, **examination.findings(), **moved}
        return content, findings, (*state.warnings, *check.base_warnings(examination))

    def _apply(
        self, steps: Steps, before: CachedFile
    ) -> tuple[bytes, dict[str, Any], tuple[str, ...]]:
        """The last step's .tflite, with what was found and what to warn of."""
        step = steps[-1]
        start = self._cache.path(before.sha256).read_bytes()
        if start == self._inputs.content:  # a ready file is in memory once
            start = self._inputs.content
        warnings: tuple[str, ...] = ()
        findings: dict[str, Any] = {}
        if isinstance(step, QuantizingStep):
            self._report(step.text(), 0, 0)
            calibration: list[Sample] = []
            if step.calibration_count:
                calibration = self._inputs.samples.to_calibrate(start, step.calibration_count)
                findings["calibration_samples"] = len(calibration)
                if self._inputs.samples.are_noise:
                    warnings = (_RANDOM,)
            floats = unpacked(start)
            if has_halves(start):
                warnings += (_HALVES,)
            quantized = _ensure(step, Quantized, self._quantize(step, floats, calibration))
            content = attach(quantized.content, start)
            if quantized.content == floats:
                raise StepError("nothing was quantized: the step gave the file that it was given")
            findings |= quantized.findings
            warnings += quantized.warnings
            samples, examined = self._start(start)
            examination = self._examine(content, samples)
            compared, poor = check.compare_quantized(examined, examination)
        elif isinstance(step, EncodingStep):
            self._report(step.text(), 0, 0)
            encoded = _ensure(step, Encoded, step.encode(start))
            content = attach(encoded.content, start)
            samples, dense = self._start(start)
            examination = self._examine(content, samples)
            plain = tuple(Runner(file, delegate=False).run(samples) for file in (start, content))
            compared, poor = check.compare_encoded(
                dense, examination, (plain[0], plain[1]), encoded.sparse_kernels
            )
            findings = encoded.findings
            # A sparse tensor cannot be read back, and its numbers are those of the step before.
            compared |= {"zeros_in_file": before.steps[-1]["zeros_in_file"]}
        elif isinstance(step, BaselineStep):
            content, warnings = attach(unpacked(start), start), (_HALVES,)
            samples, examined = self._start(start)
            examination = self._examine(content, samples)
            compared, poor = check.compare_trained(examined, examination)
        else:
            state = self._keras.after(steps)
            content, examination, moved = self._export(state)
            compared, poor = check.compare_trained(
                self._start(start)[1],
                examination,
                trained=isinstance(step, TrainingStep) and step.epochs > 0,
            )
            poor = (*poor, *state.warnings, *_check_zeros(state, content, examination))
            findings = {**state.findings, **moved}
        poor = (*poor, *self._lost(start, content))
        return content, {**findings, **examination.findings(), **compared}, (*warnings, *poor)

    def _lost(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """What a step loses of a classifier's right answers, where there are labels."""
        labelled = self._inputs.samples.labelled(before)
        if labelled is None or Runner(before).classes != Runner(after).classes:
            return ()
        lost = check.compare_labels(before, after, *labelled)
        return (lost,) if lost else ()

    def _examine(self, content: bytes, samples: Sequence[Sample]) -> check.Examination:
        return check.examine(content, samples, labelled=self._inputs.samples.have_classes)

    def _start(self, content: bytes) -> tuple[list[Sample], check.Examination]:
        """What a file that a step goes on from is checked with, and what it did on it."""
        sha256 = hashlib.sha256(content).hexdigest()
        if self._examined is None or self._examined[0] != sha256:
            self._examined = None  # frees its samples before others are made
            samples = self._inputs.samples.to_check(content)
            self._examined = (sha256, samples, self._examine(content, samples))
        return self._examined[1:]

    def _quantize(
        self, step: QuantizingStep, content: bytes, samples: Sequence[Sample]
    ) -> Quantized:
        try:
            return step.quantize(
                content, samples, lambda done, total: self._report(step.text(), done, total)
            )
        except (StepError, MemoryError):
            raise
        except Exception as error:  # litert-quantizer has no error class of its own
            who = "litert-quantizer" if plug_in_of(step) is None else step.name
            raise StepError(f"{who} failed: {first_line(error)}") from error

    def _export(self, state: State) -> tuple[bytes, check.Examination, dict[str, Any]]:
        from mobilebench.compress.pipeline.convert import answers_of, convert_keras

        self._report("convert", 0, 0)
        content = convert_keras(state.model, self._cache.scratch)
        samples = self._inputs.samples.to_check(content)
        examination = self._examine(content, samples)
        moved = check.compare_conversion(answers_of(state.model, samples), examination)
        return content, examination, moved

    def _evaluation(self, made: CachedFile) -> tuple[EvaluationSet | None, tuple[str, ...]]:
        """The evaluation data as the file takes them; warnings where it cannot take any."""
        samples = self._inputs.samples
        try:
            found = samples.evaluation(self._cache.path(made.sha256).read_bytes())
        except (UnusableError, StepError) as error:
            return None, (f"the evaluation data are not used: {error}",)
        if found is None:
            return None, ()
        labels = {f"labels/{name}": y for name, y in found.named.items()}
        if found.labels is not None:
            labels["labels"] = found.labels
        texts = [name for name, y in labels.items() if y.dtype.kind == "U"]

        def make() -> dict[str, Streamed]:
            tensors = found.tensors(samples.raw.origin)
            if found.restores:
                tensors["labels"] = tensors["0"]
            for name, y in labels.items():
                tensors[name] = Streamed.of(as_bytes(y) if name in texts else y)
            return tensors

        path, sha256 = self._cache.evaluation(
            {
                "evaluation": samples.raw.digest,
                "inputs": [repr(taken) for taken in found.wanted.values()],
                "names": list(found.wanted),
                "task": found.task,
                "split": samples.split,
            },
            make,
            texts=texts,
        )
        name = samples.raw.name if samples.split is None else f"{samples.raw.name}, {samples.split}"
        return (
            EvaluationSet(name, path, sha256, found.part.count, found.task, found.reason),
            (),
        )


def _ensure(step: Step, kind: type[_Result], made: object) -> _Result:
    """What a step made, if it is of the kind that it must be: a plug-in may make anything."""
    if not isinstance(made, kind):
        raise StepError(f"{step.name} gave {type(made).__name__}, and must give {kind.__name__}")
    return made


def _check_zeros(state: State, content: bytes, examination: check.Examination) -> tuple[str, ...]:
    """Holds the file against the sparsity that was asked for, or kept; returns warnings."""
    if state.kept is None:
        return ()
    weights = sum(kept.size for kept in state.kept)
    zeros = weights - sum(int(kept.sum()) for kept in state.kept)
    if examination.weights < weights:  # a recurrent layer's are in the body of its loop
        more, values = zeros_of_loops(content)
        examination = replace(
            examination, zeros=examination.zeros + more, weights=examination.weights + values
        )
    return check.compare_zeros(zeros / weights, weights, examination)
