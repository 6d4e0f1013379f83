"""Tiny files of a recipe's schemes: a device runs them before anything is trained.

What a recipe's last steps make of a layer (which operators, in which versions, with which types)
does not depend on the layer's weights. So a network of one small layer of each of the model's kinds
is quantized and encoded as the recipe says, and that file shows what the runtime must be able to
do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mobilebench.compress.probe_network import network
from mobilebench.compress.recipe import ARROW, Recipe, parse_recipe
from mobilebench.compress.step import EncodingStep, QuantizingStep, Step
from mobilebench.errors import BadInputError, StepError
from mobilebench.models.layer_kinds import LayerKind
from mobilebench.tflite.file import load
from mobilebench.tflite.graph import kind_of

#: Samples that a scheme with ranges is calibrated with.
_CALIBRATION = 8


@dataclass(frozen=True)
class ProbeFile:
    """A tiny file.

    Attributes:
        content: the .tflite; each kind of layer has an input and an output of its own, in order.
        kinds: of layers.
        operators: of each kind, what computes it: its name in the schema, and its version.
    """

    content: bytes
    kinds: tuple[LayerKind, ...]
    operators: Mapping[LayerKind, tuple[str, int]]


def file_steps(recipe: Recipe) -> tuple[Step, ...]:
    """The steps that decide which operators a runtime needs: those that work on the file."""
    return tuple(step for step in recipe.steps if isinstance(step, QuantizingStep | EncodingStep))


def probe_file(recipe: Recipe, kinds: Sequence[LayerKind]) -> ProbeFile | None:
    """The tiny file of a recipe.

    Args:
        recipe: of which the last steps are carried out.
        kinds: of the layers that the model has.

    Returns:
        the file; None where these steps make nothing of such layers, or the package is missing
        that carries them out.
    """
    steps = file_steps(recipe)
    if not steps or not kinds:
        return None
    sparse = any(isinstance(step, EncodingStep) for step in steps)
    content = network(kinds, sparse=sparse)
    try:
        for step in steps:
            content = applied(step, content)
    except (StepError, ImportError):
        return None
    return ProbeFile(content, tuple(kinds), MappingProxyType(dict(_operators(content, kinds))))


def nearest(recipe: Recipe) -> Iterator[Recipe]:
    """Recipes that differ by their scheme only, the nearest first: for where this one cannot run.

    Another way to store the same numbers goes first, then wider weights, then fewer integers.
    """
    quantizing = next((s for s in recipe.steps if isinstance(s, QuantizingStep)), None)
    plain = tuple(step for step in recipe.steps if not isinstance(step, EncodingStep))
    seen = {recipe.text}
    chains: list[list[str]] = []
    if len(plain) < len(recipe.steps) and plain:
        chains.append([step.text() for step in plain])
    if quantizing is not None:
        for other in _NEAREST.get(quantizing.name, _OTHERWISE):
            chains += [
                [other if s is quantizing else s.text() for s in steps]
                for steps in dict.fromkeys((recipe.steps, plain))
            ]
    trained = [step.text() for step in plain if step is not quantizing]
    chains.append(trained or ["float32"])
    for chain in chains:
        try:
            found = parse_recipe(ARROW.join(chain))
        except BadInputError:
            continue
        if found.text not in seen:
            seen.add(found.text)
            yield found


_OTHERWISE = ("dynamic_int8", "weight_only_int8", "float16")
#: In place of each scheme, with its default settings: which others, the nearest first.
_NEAREST: dict[str, tuple[str, ...]] = {
    "float16": (),
    "dynamic_int8": ("weight_only_int8", "float16"),
    "dynamic_int4": ("dynamic_int4", "dynamic_int4(convolution_bits=8)", *_OTHERWISE),
    "weight_only_int8": ("dynamic_int8", "float16"),
    "weight_only_int4": (
        "weight_only_int4(convolution_bits=8)",
        "weight_only_int8",
        "dynamic_int8",
        "float16",
    ),
    "int8": ("int8", *_OTHERWISE),
    "int16x8": ("int16x8", "int8", *_OTHERWISE),
}


def applied(step: Step, content: bytes) -> bytes:
    """What a quantizing or encoding step makes of a file, with no layer kept in float32.

    Raises:
        StepError: nothing.
    """
    # Layers that keep float32 would show nothing.
    wider = {"min_snr", "keep_float"} & set(type(step).model_fields)
    step = step.model_copy(update=dict.fromkeys(wider))
    if isinstance(step, EncodingStep):
        return step.encode(content).content
    assert isinstance(step, QuantizingStep)
    samples: Sequence[Any] = ()
    if step.calibration_count:
        from mobilebench.tflite.interpreter import Runner

        samples = Runner(content, delegate=False).noise(_CALIBRATION, seed=0)
    return step.quantize(content, samples).content


def _operators(
    content: bytes, kinds: Sequence[LayerKind]
) -> Iterator[tuple[LayerKind, tuple[str, int]]]:
    """What computes each kind of layer, whatever a scheme made of it."""
    model = load(content)
    main, *called = (graph.operators for graph in model.subgraphs)
    for kind in kinds:
        loops = kind == "recurrent"
        for operator in itertools.chain(*called) if loops else main:
            name = kind_of(model, operator)
            if name in _COMPUTING[kind]:
                version = int(model.operatorCodes[operator.opcodeIndex].version)
                yield kind, (f"{name} in a loop" if loops else name, version)
                break


_COMPUTING: dict[LayerKind, tuple[str, ...]] = {
    "dense": ("FULLY_CONNECTED",),
    "convolution": ("CONV_2D",),
    "depthwise": ("DEPTHWISE_CONV_2D",),
    "transposed": ("TRANSPOSE_CONV",),
    "embedding": ("EMBEDDING_LOOKUP", "GATHER"),
    "recurrent": ("FULLY_CONNECTED",),
}
