"""The Keras models of a recipe: trained, compressed while they are trained, and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mobilebench.compress.pipeline.build_inputs import BuildInputs, Steps
from mobilebench.compress.pipeline.cache import Cache
from mobilebench.compress.pipeline.latency import device_latency_for
from mobilebench.compress.pipeline.requirements import one_of_each
from mobilebench.compress.pipeline.state_file import read_state, write_state
from mobilebench.compress.step import DeviceLatency, State, StepContext, TrainingStep
from mobilebench.compress.teachers import Teacher, keras_teacher, tflite_teacher
from mobilebench.errors import BadInputError, StepError, first_line
from mobilebench.models.array import Array
from mobilebench.models.checkpoint import Checkpoint
from mobilebench.models.compiled import read_compiled
from mobilebench.models.inputs import Part
from mobilebench.models.labels import class_numbers, is_one_hot
from mobilebench.models.sources import Source, build_fresh, load_keras
from mobilebench.models.spec import ModelSpec
from mobilebench.models.training import TrainingData, fit

#: Called with what is under way (``train``, ``convert``, a step's text), epochs done and in all.
Report = Callable[[str, float, int], None]


#: The names of all layers that data files have brought into this process.
_brought: set[str] = set()


class KerasModels:
    """The model before any step, and after each chain of training steps.

    Args:
        inputs: the model, its data, its student and teachers.
        cache: keeps what is trained here.
        report: called with the progress.
    """

    def __init__(self, inputs: BuildInputs, cache: Cache, report: Report) -> None:
        self._inputs = inputs
        self._cache = cache
        self._report = report
        self._states: dict[Steps, State] = {}
        _brought.update(inputs.samples.raw.custom_objects)

    def after(self, steps: Steps) -> State:
        """The Keras model after these steps.

        Raises:
            BadInputError: the data do not fit the model.
            StepError: the last step failed.
        """
        self._register()
        if steps not in self._states:
            self._states[steps] = self._find(steps) or self._keep(steps, self._make(steps))
        return self._states[steps]

    def _register(self) -> None:
        """Makes the layers of this model's data file known to Keras, and those of others not."""
        custom = self._inputs.samples.raw.custom_objects
        if _brought:
            import keras

            known = keras.saving.get_custom_objects()
            for name in _brought:
                known.pop(name, None)
            known.update(custom)

    def _find(self, steps: Steps) -> State | None:
        """The state that was kept after these steps, if it is there, whole, and can be read."""
        path = self._cache.find_model(self._inputs.training_key(steps))
        if path is None:
            return None
        if steps:
            self._report(f"{steps[-1].text()}: from the cache", 0, 0)
        try:
            state = read_state(path)
        except Exception:  # Keras raises whatever it stumbles over; the state is made anew
            return None
        taught = [step for step in steps if isinstance(step, TrainingStep) and step.needs_teachers]
        return replace(state, loss=taught[-1].loss_of(self._teachers())) if taught else state

    def _keep(self, steps: Steps, state: State) -> State:
        """Keeps what took its time, and gives it as it will be found.

        So a recipe that was interrupted cannot end otherwise than one that was not. A model that
        Keras cannot write and read again stays in memory.
        """
        if not steps and self._inputs.source.zoo is None:
            return state  # it is on disk already, as the user's own
        try:
            key = self._inputs.training_key(steps)
            kept = self._cache.keep_model(key, lambda path: write_state(state, path))
            found = replace(read_state(kept), loss=state.loss)
        except Exception as error:  # Keras raises whatever it stumbles over
            lost = (
                "this Keras model could not be kept, so an interrupted recipe trains it again: "
                + first_line(error)
            )
            return replace(state, warnings=(*state.warnings, lost))
        return found

    def _make(self, steps: Steps) -> State:
        if not steps:
            if self._inputs.source.zoo is None:
                raw, spec = self._inputs.samples.raw, self._inputs.spec
                loaded = load_keras(self._inputs.source, spec.shapes, raw.sample_shapes)
                return State(loaded.model, warnings=loaded.notes)
            return State(self._base_model())
        step = steps[-1]
        assert isinstance(step, TrainingStep)
        before = self.after(steps[:-1])
        self._report(step.text(), 0, step.epochs)
        training_data = (
            self._training_data(before.model, steps) if step.needs_training_data else None
        )
        device_latency = (
            self._device_latency(before.model, step.text()) if step.needs_device else None
        )
        try:
            begins = len(steps) == 1
            context = StepContext(
                training_data, self._fresh_student, device_latency, self._teachers, begins
            )
            made = step.train(before, context)
        except BadInputError as error:  # it does not suit this step; others it may
            raise StepError(str(error)) from error
        if not isinstance(made, State):  # a plug-in may make anything
            raise StepError(f"{step.name} gave {type(made).__name__}, and must give State")
        return made

    def _base_model(self) -> Any:
        import keras

        assert self._inputs.source.zoo is not None
        keras.utils.set_random_seed(self._inputs.seed)
        model = build_fresh(self._inputs.source)
        settings = self._inputs.source.zoo.training
        if settings is not None:
            if self._inputs.samples.raw.train is None:
                raise BadInputError(
                    f"model {self._inputs.spec.name!r} is trained here, and data "
                    f"{self._inputs.samples.raw.origin} has no training samples"
                )
            self._report("train", 0, settings.epochs)
            fit(model, self._training_data(model), epochs=settings.epochs)
        return model

    def _fresh_student(self) -> Any:
        import keras

        assert self._inputs.student is not None
        keras.utils.set_random_seed(self._inputs.seed)
        return build_fresh(self._inputs.student)

    def _device_latency(self, model: Any, label: str) -> DeviceLatency:
        assert self._inputs.latency_probe is not None
        return device_latency_for(
            self._inputs.latency_probe,
            model,
            self._cache.scratch,
            lambda done: self._report(f"{label}: measuring", done, 0),
        )

    def _teachers(self) -> list[Teacher]:
        """The teachers of distillation."""
        if not self._inputs.teachers:
            return [keras_teacher(self.after(()).model, self._inputs.source.name)]
        return [self._teacher(source) for source in self._inputs.teachers]

    def _teacher(self, source: Source) -> Teacher:
        if source.kind == "tflite":
            return tflite_teacher(source.read(), source.name)
        spec = ModelSpec(name=source.name, source=source.text, data=self._inputs.spec.data)
        others = BuildInputs.gather(spec, self._inputs.seed)
        model = KerasModels(others, self._cache, self._report).after(()).model
        own = self.after(()).model
        if model.input_shape != own.input_shape or model.output_shape != own.output_shape:
            raise StepError(
                f"{source.name} cannot teach {self._inputs.source.name}: its input and output are "
                f"{model.input_shape[1:]} and {model.output_shape[1:]}, not "
                f"{own.input_shape[1:]} and {own.output_shape[1:]}"
            )
        return keras_teacher(model, source.name)

    def _training_data(self, model: Any, steps: Steps = ()) -> TrainingData:
        step = steps[-1] if steps else None
        assert step is None or isinstance(step, TrainingStep)
        label = "train" if step is None else step.text()
        ends = len(model.inputs), len(model.outputs)
        if step is not None and step.needs_teachers and ends != (1, 1):
            raise StepError(one_of_each(step, self._inputs.source.name, ends))
        samples, source = self._inputs.samples, self._inputs.source
        part = samples.training({one.name: tuple(one.shape[1:]) for one in model.inputs})
        labels: Any = dict(part.named) if part.named else part.labels
        if part.reason:
            raise BadInputError(
                f"{samples.raw.origin}: y_train cannot be trained by: {part.reason}"
            )
        if labels is None and self._inputs.spec.task == "reconstruction" and ends == (1, 1):
            labels = part.x[:]
        inputs = tuple(part.inputs.values())
        return TrainingData(
            inputs if len(inputs) > 1 else inputs[0],
            labels,
            source.settings,
            self._inputs.seed,
            lambda done, total: self._report(label, done, total),
            weights=_weights(part, samples.raw.hooks.class_weights, samples.raw.origin),
            compiled=read_compiled(source.path) if source.kind == "keras" else None,
            task=self._inputs.spec.task or "",
            by_hand=samples.raw.hooks.train,
            checkpoint=Checkpoint(self._cache.checkpoint(self._inputs.key(steps))),
        )


def _weights(part: Part, by_class: Mapping[int, float], origin: str) -> Array | None:
    """How much each sample counts: by its own weight, and by its class's."""
    if not by_class:
        return part.weights
    if part.labels is None:
        raise BadInputError(f"{origin}: class_weights need the class of each sample, in y_train")
    y = part.labels.argmax(axis=1) if is_one_hot(part.labels) else part.labels
    y = class_numbers(y, f"{origin}: y_train, with class_weights,")
    found = np.array([by_class.get(int(number), 1.0) for number in y], np.float32)
    return found if part.weights is None else found * part.weights
