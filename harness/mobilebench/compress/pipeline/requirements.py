"""Whether a model has all that a recipe needs, checked before anything is made."""

from __future__ import annotations

import importlib.util

from mobilebench.compress.pipeline.build_inputs import (
    BuildInputs,
    trains_student,
    uses_quantizer,
)
from mobilebench.compress.pipeline.cache import Cache
from mobilebench.compress.recipe import Recipe
from mobilebench.compress.step import EncodingStep, QuantizingStep, TrainingStep
from mobilebench.compress.steps.baseline import AsIs, Float32
from mobilebench.errors import BadInputError, StepError, UnsupportedModelError
from mobilebench.models.labels import are_classes
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

#: How steps that usually retrain do without training data.
_WITHOUT_DATA = {
    "prune": "; prune(…, schedule=once, epochs=0) needs none",
    "prune_channels": "; prune_channels(…, epochs=0) needs none, with a norm as importance",
    "cluster": "; cluster(…, epochs=0) needs none",
    "low_rank": "; low_rank(…, epochs=0) needs none",
}


def require(recipe: Recipe, inputs: BuildInputs, cache: Cache) -> None:
    """Refuses a recipe that cannot be applied to this model, before anything is made.

    Raises:
        BadInputError: the recipe needs training code, data, a student or a package that
            are not there.
    """
    where = f"model {inputs.spec.name!r}: recipe {recipe.text!r}"
    ready = inputs.content is not None
    if ready:
        _require_ready(inputs, where)
    if trains_student(recipe.steps) and inputs.student is None:
        raise BadInputError(
            f"{where} trains a student, and the model has none; "
            "set student (--student) to zoo:NAME or to a .keras file"
        )
    for step in recipe.steps:
        if isinstance(step, AsIs) and inputs.source.kind != "tflite":
            raise BadInputError(
                f"{where} is for ready .tflite files; use float32 for {inputs.spec.source}"
            )
        if isinstance(step, Float32) and ready and _is_quantized(inputs):
            raise BadInputError(
                f"{where}: the weights of {inputs.spec.source} are quantized, and no step takes "
                "that back; use as_is"
            )
        if isinstance(step, TrainingStep):
            _require_training(inputs, step, where)
        if isinstance(step, QuantizingStep) and step.calibration_count:
            _require_calibration(inputs, where)
    if cache.find(inputs.key(inputs.chain(recipe.steps))) is None:
        _require_packages(recipe, inputs, cache, where)


def _require_ready(inputs: BuildInputs, where: str) -> None:
    """The ready .tflite can be loaded, or only this machine's runtime cannot run it.

    That costs its own variants, which fail when they are made, and not the others.
    """
    _require_runtime(where)
    assert inputs.content is not None
    try:
        Runner(inputs.content)
    except UnsupportedModelError:
        return
    except StepError as error:
        raise BadInputError(f"model {inputs.source.text} cannot be used: {error}") from error


def _is_quantized(inputs: BuildInputs) -> bool:
    """Whether a ready file has constants of few bits with a scale."""
    assert inputs.content is not None
    return any(
        tensor.content is not None and (tensor.scales or tensor.blockwise)
        for operator in parse(inputs.content, inputs.source.text).operators
        for tensor in operator.inputs
        if tensor is not None
    )


def _require_training(inputs: BuildInputs, step: TrainingStep, where: str) -> None:
    if not inputs.source.trainable:
        raise BadInputError(
            f"{where} retrains, and {inputs.source.called} cannot be retrained; "
            "give a .keras file, or recipes that only quantize"
        )
    ends = inputs.source.ends
    if step.needs_teachers and ends != (1, 1):
        raise BadInputError(f"{where}: {one_of_each(step, inputs.source.text, ends)}")
    if step.needs_training_data and inputs.samples.raw.train is None:
        does, hint = "ranks by training data", ""
        if step.epochs:
            does, hint = "retrains", _WITHOUT_DATA.get(step.name, "")
        raise BadInputError(
            f"{where} {does}, and data {inputs.samples.raw.origin} has no training samples{hint}"
        )
    if step.needs_teachers:
        _require_classes(inputs)
    if step.needs_device and inputs.latency_probe is None:
        raise BadInputError(f"{where} measures latency, and there is no device to measure on")


def _require_classes(inputs: BuildInputs) -> None:
    """Who learns from a teacher's probabilities is a classifier."""
    part = inputs.samples.raw.train
    if part is None or part.labels is None or not (are_classes(part.labels)):
        inputs.samples.raw.class_numbers()


def _require_calibration(inputs: BuildInputs, where: str) -> None:
    if not inputs.samples.given:
        raise BadInputError(
            f"{where} calibrates, and the model has no data: give samples with data (--data), "
            'or write data = "random" (--data random) to calibrate on noise'
        )
    if not inputs.samples.can_calibrate:
        raise BadInputError(
            f"{where} calibrates, and data {inputs.samples.raw.origin} has neither "
            "calibration nor training samples"
        )


def _require_packages(recipe: Recipe, inputs: BuildInputs, cache: Cache, where: str) -> None:
    _require_runtime(where)
    file_steps = [s for s in recipe.steps if isinstance(s, QuantizingStep | EncodingStep)]
    float_steps = recipe.steps[: len(recipe.steps) - len(file_steps)]
    needs = []
    if inputs.content is None and cache.find(inputs.key(inputs.chain(float_steps))) is None:
        needs.append(("tensorflow", "TensorFlow"))
    if uses_quantizer(file_steps):
        needs.append(("litert_quantizer", "litert-quantizer"))
    for package, name in needs:
        if not _is_installed(package):
            raise BadInputError(f"{where} needs {name}: pip install 'mobilebench[compress]'")


def _require_runtime(where: str) -> None:
    if not _is_installed("ai_edge_litert"):
        raise BadInputError(f"{where} needs the LiteRT runtime: pip install 'mobilebench[agent]'")


def one_of_each(step: TrainingStep, model: str, ends: tuple[int, int]) -> str:
    """Why a step that learns from a teacher is not for a model with several inputs or outputs."""
    return (
        f"step {step.text()} learns from a teacher's classes, which takes one input and one "
        f"output, and {model} has {_counted(ends[0], 'input')} and {_counted(ends[1], 'output')}"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
