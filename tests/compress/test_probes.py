"""Tiny files show which operators, types and versions a recipe's scheme needs of a runtime."""

from __future__ import annotations

from typing import get_args

import pytest
from mobilebench.compress import probes
from mobilebench.compress.recipe import parse_recipe
from mobilebench.models.layer_kinds import LayerKind, of_classes
from mobilebench.tflite import precision
from mobilebench.tflite.graph import parse, parse_called
from mobilebench.tflite.interpreter import Runner

KINDS: tuple[LayerKind, ...] = get_args(LayerKind)


def stored(recipe: str, kind: LayerKind) -> set[str]:
    """The types of the weights of the only layer in a recipe's tiny file."""
    made = probes.probe_file(parse_recipe(recipe), (kind,))
    assert made is not None
    graph = parse(made.content, recipe)
    constants = [t for o in graph.operators for t in o.inputs if t is not None and t.content]
    return {t.type for t in constants if t.count > 100}


@pytest.mark.parametrize(
    ("recipe", "types"),
    [
        ("float16", {"FLOAT16"}),
        ("dynamic_int8", {"INT8"}),
        ("dynamic_int4", {"INT4"}),
        ("dynamic_int4(block=256)", {"INT4", "FLOAT16"}),
        ("weight_only_int4", {"INT4"}),
        ("int8(weight_bits=4)", {"INT4"}),
        ("int16x8", {"INT8"}),
        ("prune(0.9) → int8(min_snr=90, keep_float=dense)", {"INT8"}),
    ],
)
def test_a_dense_layer_is_stored_as_the_scheme_says(recipe: str, types: set[str]) -> None:
    assert stored(recipe, "dense") <= types
    assert stored(recipe, "dense") & types


def test_every_kind_of_layer_has_an_input_and_an_output_and_runs() -> None:
    made = probes.probe_file(parse_recipe("int8"), KINDS)
    assert made is not None
    graph = parse(made.content, "int8")
    assert (len(graph.inputs), len(graph.outputs)) == (len(KINDS), len(KINDS))
    assert {kind: name for kind, (name, _) in made.operators.items()} == {
        "dense": "FULLY_CONNECTED",
        "convolution": "CONV_2D",
        "depthwise": "DEPTHWISE_CONV_2D",
        "transposed": "TRANSPOSE_CONV",
        "embedding": "GATHER",
        "recurrent": "FULLY_CONNECTED in a loop",
    }
    runner = Runner(made.content, delegate=False)
    runner.run(runner.noise(2, seed=0))


@pytest.mark.parametrize("recipe", ["dynamic_int8", "int8"])
def test_a_loop_alone_has_the_weights_and_versions_that_schemes_give_loops(recipe: str) -> None:
    made = probes.probe_file(parse_recipe(recipe), ("recurrent",))
    assert made is not None
    assert made.operators["recurrent"] == ("FULLY_CONNECTED in a loop", 9)
    assert precision.read(made.content, recipe).arithmetic != "float32"
    body = parse_called(made.content, recipe)[1]
    (loop,) = [o for o in body.operators if o.kind == "FULLY_CONNECTED"]
    assert [t.type for t in loop.inputs if t is not None][:2] == ["FLOAT32", "INT8"]
    runner = Runner(made.content, delegate=False)
    runner.run(runner.noise(2, seed=0))


def test_versions_are_those_of_the_file() -> None:
    hybrid = probes.probe_file(parse_recipe("dynamic_int8"), ("dense",))
    sparse = probes.probe_file(parse_recipe("prune(0.9) → dynamic_int8 → sparse"), ("dense",))
    assert hybrid is not None
    assert sparse is not None
    assert hybrid.operators["dense"] == ("FULLY_CONNECTED", 9)
    assert sparse.operators["dense"] == ("FULLY_CONNECTED", 8)


def test_a_recipe_that_changes_no_file_has_none() -> None:
    assert probes.probe_file(parse_recipe("prune(0.9)"), KINDS) is None
    assert probes.probe_file(parse_recipe("float32"), KINDS) is None
    # Blocks are for layers that a scheme has them for.
    assert probes.probe_file(parse_recipe("dynamic_int8(algorithm=gptq)"), ("depthwise",)) is None


@pytest.mark.parametrize(
    ("recipe", "first", "last"),
    [
        ("dynamic_int4(block=32)", "dynamic_int4", "float32"),
        ("prune(0.5) → int8(weight_bits=4)", "prune(0.5) → int8", "prune(0.5)"),
        ("prune(0.9) → dynamic_int8 → sparse", "prune(0.9) → dynamic_int8", "prune(0.9)"),
        ("float16", "float32", "float32"),
    ],
)
def test_the_nearest_recipes_differ_by_their_scheme_only(
    recipe: str, first: str, last: str
) -> None:
    found = [other.text for other in probes.nearest(parse_recipe(recipe))]
    assert (found[0], found[-1]) == (first, last)
    assert recipe not in found
    assert len(set(found)) == len(found)


def test_kinds_of_keras_layers() -> None:
    names = ("InputLayer", "SeparableConv2D", "Dense", "Dense", "LSTM")
    assert of_classes(names) == ("depthwise", "convolution", "dense", "recurrent")
