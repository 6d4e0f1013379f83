"""The variants of one model, made one from the other and kept in the cache.

Each step of a recipe makes a .tflite that is checked and kept, so a recipe that begins like
another continues from there: the base model is trained and converted once, and every quantizer
starts from a float32 file that is there already. Training steps go on from the Keras model of
the step before, which is kept in memory for this.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from harness.compress import check
from harness.compress.artifact import Artifact, EvaluationSet
from harness.compress.baseline import AsIs, Float32
from harness.compress.cache import Cache, Made, key_of, versions_of
from harness.compress.distill import Distill
from harness.compress.latency import Stopwatch, bench_for
from harness.compress.recipe import Recipe
from harness.compress.samples import Samples
from harness.compress.step import (
    Bench,
    EncodingStep,
    Quantized,
    QuantizingStep,
    State,
    Step,
    StepError,
    TrainingStep,
    UnsupportedModelError,
    Workshop,
)
from harness.compress.teachers import Teacher, keras_teacher, tflite_teacher
from harness.compress.tflite import Runner
from harness.errors import BadInputError, first_line
from harness.models.array import Sample
from harness.models.datasets import load_dataset
from harness.models.sources import (
    Source,
    build_fresh,
    check_tflite,
    find_source,
    find_student,
    find_teachers,
    load_keras,
)
from harness.models.spec import ModelSpec
from harness.models.training import Lessons, fit

Steps = tuple[Step, ...]

#: How steps that usually retrain do without training data.
_WITHOUT_DATA = {
    "prune": "; prune(…, schedule=once, epochs=0) needs none",
    "prune_channels": "; prune_channels(…, epochs=0) needs none, with a norm as importance",
    "cluster": "; cluster(…, epochs=0) needs none",
    "low_rank": "; low_rank(…, epochs=0) needs none",
}

#: Told what is under way: ``train``, ``convert``, a step's text; with passes done and in all.
Report = Callable[[str, int, int], None]


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
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._spec = spec
        self._stopwatch = stopwatch
        self._seed = seed
        self._cache = cache
        self._report = report
        self._source = find_source(spec.source)
        self._student = find_student(spec, self._source)
        self._teachers = find_teachers(spec)
        own = None if self._source.zoo is None else self._source.zoo.data
        self._data_given = spec.data or own
        self._samples = Samples(
            load_dataset(self._data_given or "random", seed=seed),
            given=self._data_given is not None,
            levels=self._source.levels,
            model=self._source.text,
            seed=seed,
        )
        self._states: dict[Steps, State] = {}
        self._failures: dict[Steps, StepError] = {}

    # What can be made.

    def require(self, recipe: Recipe) -> None:
        """Refuses a recipe that cannot be applied to this model, before anything is made.

        Raises:
            BadInputError: the recipe needs training code, data, a student or a package that
                are not there.
        """
        where = f"model {self._spec.name!r}: recipe {recipe.text!r}"
        ready = self._source.kind == "tflite"
        model = self._ready_model(where) if ready else None
        if _trains_student(recipe.steps) and self._student is None:
            raise BadInputError(
                f"{where} trains a student, and the model has none; "
                "set student to zoo:NAME or to a .keras file"
            )
        for step in recipe.steps:
            if isinstance(step, AsIs) and not ready:
                raise BadInputError(
                    f"{where} is for ready .tflite files; use float32 for {self._spec.source}"
                )
            if isinstance(step, Float32) and model and not model.has_float32_weights():
                raise BadInputError(
                    f"{where}: the weights of {self._spec.source} are not float32; use as_is"
                )
            if isinstance(step, TrainingStep):
                self._require_training(step, where)
            if isinstance(step, QuantizingStep) and step.calibration_count:
                self._require_calibration(where)
        if self.find(recipe) is None:
            self._require_packages(recipe, where)

    def find(self, recipe: Recipe) -> Made | None:
        """The variant from the cache, if it was made before."""
        return self._cache.find(self._key(_essential(recipe.steps)))

    def _ready_model(self, where: str) -> Runner | None:
        """The ready .tflite, loaded; None if only this machine's runtime cannot run it.

        That costs its own variants, which fail when they are made, and not the others.
        """
        self._require_runtime(where)
        try:
            return Runner(self._source.path.read_bytes())
        except UnsupportedModelError:
            return None
        except StepError as error:
            raise BadInputError(f"model {self._source.text} cannot be used: {error}") from error

    def _require_training(self, step: TrainingStep, where: str) -> None:
        if not self._source.trainable:
            what = "SavedModel" if self._source.kind == "saved_model" else ".tflite file"
            raise BadInputError(
                f"{where} retrains, and a {what} cannot be retrained; "
                "give a .keras file, or recipes that only quantize"
            )
        ends = self._source.ends
        if step.needs_training_data and ends != (1, 1):
            raise BadInputError(f"{where}: {_one_of_each(step, self._source.text, ends)}")
        if step.needs_training_data and self._samples.raw.train is None:
            does, hint = "ranks by training data", ""
            if step.passes:
                does, hint = "retrains", _WITHOUT_DATA.get(step.name, "")
            raise BadInputError(
                f"{where} {does}, and data {self._samples.raw.origin} has no training samples{hint}"
            )
        if step.needs_device and self._stopwatch is None:
            raise BadInputError(f"{where} measures latency, and there is no device to measure on")

    def _require_calibration(self, where: str) -> None:
        if self._data_given is None:
            raise BadInputError(
                f"{where} calibrates, and the model has no data: give samples with data (--data), "
                'or write data = "random" (--data random) to calibrate on noise'
            )
        if not self._samples.can_calibrate:
            raise BadInputError(
                f"{where} calibrates, and data {self._samples.raw.origin} has neither "
                "calibration nor training samples"
            )

    def _require_packages(self, recipe: Recipe, where: str) -> None:
        self._require_runtime(where)
        file_steps = [s for s in recipe.steps if isinstance(s, QuantizingStep | EncodingStep)]
        float_steps = recipe.steps[: len(recipe.steps) - len(file_steps)]
        needs = []
        if (
            self._source.kind != "tflite"
            and self._cache.find(self._key(_essential(float_steps))) is None
        ):
            needs.append(("tensorflow", "TensorFlow"))
        if any(isinstance(step, QuantizingStep) for step in file_steps):
            needs.append(("litert_quantizer", "litert-quantizer"))
        for package, name in needs:
            if not _is_installed(package):
                raise BadInputError(f"{where} needs {name}: pip install 'mobilebench[compress]'")

    @staticmethod
    def _require_runtime(where: str) -> None:
        if not _is_installed("ai_edge_litert"):
            raise BadInputError(
                f"{where} needs the LiteRT runtime: pip install 'mobilebench[agent]'"
            )

    # Making.

    def build(self, recipe: Recipe) -> Artifact:
        """The variant, from the cache or made now.

        Raises:
            BadInputError: the data do not fit the model.
            StepError: a step failed; its ``step`` attribute has the step's text.
        """
        made = self._make(_essential(recipe.steps))
        downloads = self._cache.find_downloads(made.sha256)
        if downloads is None:
            self._report("measure the download", 0, 0)
            downloads = self._cache.measure_downloads(made.sha256)
        warnings = list(made.warnings)
        if self._source.zoo is not None and self._source.zoo.training is None:
            warnings.append("random weights: speed and size are right, the answers mean nothing")
        return Artifact(
            model=self._spec.name,
            recipe=recipe.name,
            sha256=made.sha256,
            path=self._cache.path(made.sha256),
            bytes=made.bytes,
            gzip_bytes=downloads.gzip,
            zstd_bytes=downloads.zstd,
            xz_bytes=downloads.xz,
            evaluation=self._evaluation(made),
            warnings=tuple(warnings),
            provenance={**made.provenance, "recipe": recipe.text, "steps": list(made.steps)},
        )

    def _make(self, steps: Steps) -> Made:
        key = self._key(steps)
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
        runner = Runner(content)
        entry = {"step": label, "settings": _settings(steps[-1]) if steps else {}, **findings}
        return self._cache.keep(
            key,
            content,
            input_shape=runner.input_shape,
            classes=runner.classes,
            warnings=(*(before.warnings if before else ()), *warnings),
            steps=(*(before.steps if before else ()), entry),
            provenance={
                "key": key,
                "source": self._source.name,
                "source_sha256": self._source.digest,
                "student": None if self._student is None else self._student.name,
                "data": self._samples.raw.name,
                "data_sha256": self._samples.raw.digest,
                "seed": self._seed,
                "versions": self._versions(steps),
            },
        )

    def _base(self) -> tuple[bytes, dict[str, Any], tuple[str, ...]]:
        """The model as a .tflite before any step."""
        if self._source.kind == "tflite":
            content = self._source.path.read_bytes()
            check_tflite(content, self._source.text)
            examination = self._examine(content, self._samples.to_check(content))
            warnings = check.base_warnings(examination)
            if Runner(content).has_open_dimensions:
                warnings = (*warnings, "open dimensions are run at length 1")
            return content, examination.findings(), warnings
        if self._source.kind == "saved_model":
            from harness.compress.convert import SavedModel

            model = SavedModel(self._source.path)
            self._report("convert", 0, 0)
            content = model.convert(self._cache.scratch)
            samples = self._samples.to_check(content)
            examination = self._examine(content, samples)
            moved = check.compare_conversion(model.run(samples), examination)
            findings = {**examination.findings(), **moved}
            return content, findings, check.base_warnings(examination)
        state = self._state(())
        content, examination, moved = self._export(state)
        findings = {**state.findings, **examination.findings(), **moved}
        return content, findings, check.base_warnings(examination)

    def _apply(self, steps: Steps, before: Made) -> tuple[bytes, dict[str, Any], tuple[str, ...]]:
        """The last step's .tflite, with what was found and what to warn of."""
        step = steps[-1]
        start = self._cache.path(before.sha256).read_bytes()
        warnings: tuple[str, ...] = ()
        findings: dict[str, Any] = {}
        if isinstance(step, QuantizingStep):
            self._report(step.text(), 0, 0)
            samples = self._samples.to_check(start)
            calibration: list[Sample] = []
            if step.calibration_count:
                calibration = self._samples.to_calibrate(start, step.calibration_count)
                findings["calibration_samples"] = len(calibration)
                if self._samples.are_noise:
                    warnings = ("calibrated with random data",)
            quantized = self._quantize(step, start, calibration)
            content = quantized.content
            findings |= quantized.findings
            warnings += quantized.warnings
            examination = self._examine(content, samples)
            compared, poor = check.compare_quantized(self._examine(start, samples), examination)
        elif isinstance(step, EncodingStep):
            self._report(step.text(), 0, 0)
            samples = self._samples.to_check(start)
            encoded = step.encode(start)
            content, dense = encoded.content, self._examine(start, samples)
            examination = self._examine(content, samples)
            plain = tuple(Runner(file, delegate=False).run(samples) for file in (start, content))
            compared, poor = check.compare_encoded(
                dense, examination, (plain[0], plain[1]), encoded.sparse_kernels
            )
            findings = encoded.findings
            compared |= {"zeros_in_file": dense.zero_share}  # a sparse tensor cannot be read back
        else:
            state = self._state(steps)
            content, examination, moved = self._export(state)
            compared, poor = check.compare_trained(
                self._examine(start, self._samples.to_check(start)), examination
            )
            poor = (*poor, *state.warnings, *_check_zeros(state, examination))
            findings = {**state.findings, **moved}
        return content, {**findings, **examination.findings(), **compared}, (*warnings, *poor)

    def _examine(self, content: bytes, samples: Sequence[Sample]) -> check.Examination:
        return check.examine(content, samples, labelled=self._samples.have_labels)

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
            first = first_line(error)
            raise StepError(f"litert-quantizer failed: {first}") from error

    # Keras models.

    def _state(self, steps: Steps) -> State:
        """The Keras model after these steps."""
        if steps in self._states:
            return self._states[steps]
        if not steps:
            state = State(self._base_model())
        else:
            step = steps[-1]
            assert isinstance(step, TrainingStep)
            before = self._state(steps[:-1])
            self._report(step.text(), 0, step.passes)
            lessons = self._lessons(before.model, step) if step.needs_training_data else None
            bench = self._bench(before.model, step.text()) if step.needs_device else None
            try:
                begins = len(steps) == 1
                workshop = Workshop(lessons, self._fresh_student, bench, self._taught_by, begins)
                state = step.train(before, workshop)
            except BadInputError as error:  # it does not suit this step; others it may
                raise StepError(str(error)) from error
        self._states[steps] = state
        return state

    def _base_model(self) -> Any:
        import keras

        if self._source.zoo is None:
            return load_keras(self._source)
        key = self._key(())
        kept = self._cache.find_model(key)
        if kept is not None:
            return keras.models.load_model(kept, compile=False, safe_mode=True)
        keras.utils.set_random_seed(self._seed)
        model = build_fresh(self._source)
        settings = self._source.zoo.training
        if settings is not None:
            if self._samples.raw.train is None:
                raise BadInputError(
                    f"model {self._spec.name!r} is trained here, and data "
                    f"{self._samples.raw.origin} has no training samples"
                )
            self._report("train", 0, settings.epochs)
            fit(model, self._lessons(model), epochs=settings.epochs)
        self._cache.keep_model(key, model)
        return model

    def _fresh_student(self) -> Any:
        import keras

        assert self._student is not None
        keras.utils.set_random_seed(self._seed)
        return build_fresh(self._student)

    def _bench(self, model: Any, label: str) -> Bench:
        assert self._stopwatch is not None
        return bench_for(
            self._stopwatch,
            model,
            self._cache.scratch,
            lambda done: self._report(f"{label}: measuring", done, 0),
        )

    def _taught_by(self) -> list[Teacher]:
        """Whom distillation learns from."""
        if not self._teachers:
            return [keras_teacher(self._state(()).model, self._source.name)]
        return [self._teacher(source) for source in self._teachers]

    def _teacher(self, source: Source) -> Teacher:
        if source.kind == "tflite":
            return tflite_teacher(source.path.read_bytes(), source.name)
        spec = ModelSpec(name=source.name, source=source.text, data=self._spec.data)
        builder = ModelBuilder(spec, seed=self._seed, cache=self._cache, report=self._report)
        model = builder._state(()).model
        own = self._state(()).model
        if model.input_shape != own.input_shape or model.output_shape != own.output_shape:
            raise StepError(
                f"{source.name} cannot teach {self._source.name}: its input and output are "
                f"{model.input_shape[1:]} and {model.output_shape[1:]}, not "
                f"{own.input_shape[1:]} and {own.output_shape[1:]}"
            )
        return keras_teacher(model, source.name)

    def _lessons(self, model: Any, step: TrainingStep | None = None) -> Lessons:
        label = "train" if step is None else step.text()
        ends = len(model.inputs), len(model.outputs)
        if step is not None and ends != (1, 1):
            raise StepError(_one_of_each(step, self._source.name, ends))
        data = self._samples.fitted(tuple(model.input_shape[1:]), _classes(model))
        assert data.train is not None
        x, y = data.train
        return Lessons(
            x,
            y,
            self._source.settings,
            self._seed,
            lambda done, total: self._report(label, done, total),
        )

    def _export(self, state: State) -> tuple[bytes, check.Examination, dict[str, Any]]:
        from harness.compress.convert import answers_of, convert_keras

        self._report("convert", 0, 0)
        content = convert_keras(state.model, self._cache.scratch)
        samples = self._samples.to_check(content)
        examination = self._examine(content, samples)
        moved = check.compare_conversion(answers_of(state.model, samples), examination)
        return content, examination, moved

    def _evaluation(self, made: Made) -> EvaluationSet | None:
        if self._samples.raw.evaluation is None:
            return None
        data = self._samples.fitted(made.input_shape, made.classes)
        assert data.evaluation is not None
        return self._cache.evaluation(
            data.name,
            f"{data.digest} {self._source.levels}",
            made.input_shape,
            data.evaluation,
        )

    # Keys.

    def _key(self, steps: Steps) -> str:
        student = _trains_student(steps)
        distills = any(isinstance(step, Distill) for step in steps)
        return key_of(
            {
                "source": self._source.digest,
                "settings": asdict(self._source.settings),
                "student": self._student.digest if student and self._student else None,
                "teachers": [t.digest for t in self._teachers] if distills else [],
                "data": [self._samples.raw.digest, self._data_given is not None],
                "steps": [[step.name, _settings(step)] for step in steps],
                "seed": self._seed,
                "versions": self._versions(steps),
                **self._measured_on(steps),
            }
        )

    def _measured_on(self, steps: Steps) -> dict[str, str]:
        """The device, where what is made depends on one."""
        if self._stopwatch is None or not any(
            isinstance(step, TrainingStep) and step.needs_device for step in steps
        ):
            return {}
        return {"device": self._stopwatch.device}

    def _versions(self, steps: Steps) -> dict[str, str]:
        packages = ["ai-edge-litert", "numpy"]
        if self._source.kind != "tflite":
            packages += ["tensorflow", "keras"]
        if any(isinstance(step, QuantizingStep) for step in steps):
            packages.append("litert-quantizer")
        return versions_of(*packages)


def _trains_student(steps: Sequence[Step]) -> bool:
    first = steps[0] if steps else None
    return isinstance(first, TrainingStep) and first.needs_student


def _essential(steps: Sequence[Step]) -> Steps:
    """The steps that do something: a baseline is the empty chain."""
    return tuple(s for s in steps if not isinstance(s, Float32 | AsIs))


def _check_zeros(state: State, examination: check.Examination) -> tuple[str, ...]:
    """Holds the file against the sparsity that was asked for, or kept; returns warnings."""
    if state.kept is None:
        return ()
    weights = sum(kept.size for kept in state.kept)
    zeros = weights - sum(int(kept.sum()) for kept in state.kept)
    return check.compare_zeros(zeros / weights, weights, examination)


def _settings(step: Step) -> dict[str, Any]:
    return step.model_dump()


def _one_of_each(step: TrainingStep, model: str, ends: tuple[int, int]) -> str:
    """Why a step that learns is not for a model with several inputs or outputs."""
    return (
        f"step {step.text()} learns from labels, which takes one input and one output, and "
        f"{model} has {_counted(ends[0], 'input')} and {_counted(ends[1], 'output')}"
        + (_WITHOUT_DATA.get(step.name, "") if step.passes else "")
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _classes(model: Any) -> int | None:
    shape = model.output_shape
    return int(shape[-1]) if len(shape) == 2 and shape[-1] is not None else None


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
