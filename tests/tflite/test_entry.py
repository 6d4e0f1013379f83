"""Files of which a part is chosen, or whose shapes are given: they answer as they did before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from mobilebench.errors import BadInputError
from mobilebench.models.array import Array
from mobilebench.tflite import entry, interface
from mobilebench.tflite.file import load
from mobilebench.tflite.graph import parse

from tests.support.models import BASELINE, MODELS
from tests.support.tflite_files import changed

OPEN = (MODELS / "open_image.tflite").read_bytes()
TWO = (MODELS / "two_signatures.tflite").read_bytes()


def _run(interpreter: Any, values: list[Array]) -> list[Array]:
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("shape", [(1, 31, 46, 3), (1, 8, 8, 3), (1, 1, 1, 3)])
def test_a_given_shape_is_as_if_resized(shape: tuple[int, ...], xnnpack: bool) -> None:
    kernels = OpResolverType.BUILTIN
    if not xnnpack:
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    x = np.random.default_rng(2).random(shape, dtype=np.float32)
    resized = Interpreter(model_content=OPEN, experimental_op_resolver_type=kernels)
    resized.resize_tensor_input(resized.get_input_details()[0]["index"], shape)
    fixed = Interpreter(
        model_content=entry.enter(OPEN, "m", shapes={"image": shape}),
        experimental_op_resolver_type=kernels,
    )
    for wanted, found in zip(_run(resized, [x]), _run(fixed, [x]), strict=True):
        np.testing.assert_array_equal(wanted, found)


def test_all_shapes_follow() -> None:
    content = entry.enter(OPEN, "m", shapes={"": (1, 31, 46, 3)})
    found = interface.read(content, "m")
    assert found.inputs[0].shape == (1, 31, 46, 3)
    assert {end.name: end.shape for end in found.outputs} == {
        "map": (1, 16, 24, 4),
        "mask": (1, 96, 4),
        "scores": (1, 5),
    }
    (first, *_) = parse(content, "m").operators
    assert (first.kind, first.outputs[0].shape) == ("CONV_2D", (1, 16, 23, 4))
    assert entry.run_as(OPEN, content, "m") == "image [1, 31, 46, 3]"
    assert parse(OPEN, "m").operators[0].outputs[0].shape != (1, 16, 23, 4)


def test_a_shape_that_depends_on_the_values_stays_open() -> None:
    graph = load(OPEN).subgraphs[0]
    kinds = [o.kind for o in parse(OPEN, "m").operators]
    at = kinds.index("RESHAPE")
    target = int(graph.operators[at].inputs[1])

    def from_input(graph: Any) -> None:
        graph.inputs = np.array([*graph.inputs, target], np.int32)
        graph.operators = [o for o in graph.operators if target not in o.outputs]

    content = entry.enter(changed(OPEN, from_input), "m", shapes={"image": (1, 8, 8, 3)})
    mask = next(end for end in interface.read(content, "m").outputs if end.name == "mask")
    assert None in mask.shape


@pytest.mark.parametrize("name", ["encode", "decode"])
def test_a_chosen_signature_is_all_there_is(name: str) -> None:
    content = entry.enter(TWO, "m", signature=name)
    assert entry.signatures(content, "m") == (name,)
    assert len(content) < len(TWO)
    found = interface.read(content, "m")
    assert found.text.startswith(f"signature {name}: ")
    assert entry.run_as(TWO, content, "m") == f"signature {name}"
    values: dict[str, Array] = {
        "values": np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8),
        "code": np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 16),
        "steps": np.array(3, np.int32),
    }
    taken = {end.name: values[end.name] for end in found.inputs}
    wanted = Interpreter(model_content=TWO).get_signature_runner(name)(**taken)
    given = _run(Interpreter(model_content=content), list(taken.values()))
    for end, value in zip(found.outputs, given, strict=True):
        np.testing.assert_array_equal(value, wanted[end.name])


def test_without_a_choice_the_file_is_as_it_was() -> None:
    assert entry.enter(TWO, "m") == TWO
    assert interface.read(TWO, "m").signature == "decode"
    said = entry.not_chosen(TWO, "m")
    assert "this is signature 'decode'" in said
    assert "'encode'" in said
    assert entry.run_as(TWO, TWO, "m") == "signature decode"
    content = BASELINE.read_bytes()
    assert entry.enter(content, "m", signature="serving_default") == content
    assert (entry.not_chosen(content, "m"), entry.run_as(content, content, "m")) == ("", "")


@pytest.mark.parametrize(
    ("content", "chosen", "refused"),
    [
        (TWO, {"signature": "decod"}, "no signature 'decod': did you mean decode? it has"),
        (TWO, {"shapes": {"": (1, 2)}}, "has 2 inputs ('steps', 'code'): say of which"),
        (TWO, {"shapes": {"x": (1, 2)}}, "no input 'x': it has 'steps', 'code'"),
        (TWO, {"shapes": {"code": (1, 8)}}, "is [1, 16] in the file, all of it fixed"),
        (OPEN, {"shapes": {"image": (1, 8, 8, 4)}}, "is [1, ?, ?, 3] in the file, and the shape"),
        (OPEN, {"shapes": {"image": (8, 8, 3)}}, "only what is open can be given"),
    ],
)
def test_what_a_file_does_not_have(content: bytes, chosen: dict[str, Any], refused: str) -> None:
    with pytest.raises(BadInputError) as caught:
        entry.enter(content, "m", **chosen)
    assert refused in str(caught.value)


def test_a_ready_file_is_taken_as_it_is() -> None:
    content = BASELINE.read_bytes()
    assert entry.enter(content, "m", signature="decode", ready=True) == content
    assert entry.enter(content, "m", shapes={"image": (1, 9, 9, 1)}, ready=True) == content


@pytest.mark.parametrize(
    ("sample", "shape"),
    [((9, 7, 3), (1, 9, 7, 3)), ((9, 7), None), ((9, 7, 4), None), ((189,), None)],
)
def test_the_shape_of_samples(sample: tuple[int, ...], shape: tuple[int, ...] | None) -> None:
    found = entry.of_samples(interface.read(OPEN, "m"), {"": sample})
    assert found == ({} if shape is None else {"image": shape})


def test_a_shape_on_which_the_model_does_not_run() -> None:
    def narrow(graph: Any) -> None:
        graph.operators[0].builtinOptions.padding = 1  # VALID: 3 × 3 do not fit into 2 × 2

    with pytest.raises(BadInputError, match=r"m does not run on 'image' \[1, 2, 2, 3\]"):
        entry.enter(changed(OPEN, narrow), "m", shapes={"image": (1, 2, 2, 3)})
