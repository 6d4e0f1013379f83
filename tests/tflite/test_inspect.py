"""What an inspection says of real files, and of files that are not sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError
from mobilebench.tflite import inspect as inspection
from mobilebench.tflite.cut import cut_out
from mobilebench.tflite.file import load
from mobilebench.tflite.inspect import alone
from mobilebench.tflite.inspect.changes import plain
from mobilebench.tflite.interpreter import Runner

from tests.support.tflite_files import open_shape

MODELS = Path(__file__).parents[1] / "fixtures" / "models"


@pytest.fixture(scope="module")
def content() -> bytes:
    return (MODELS / "small.tflite").read_bytes()


@pytest.fixture(scope="module")
def facts(content: bytes) -> inspection.ModelFacts:
    return inspection.read(content, "small")


def test_work_and_weights_are_those_of_the_layers(facts: inspection.ModelFacts) -> None:
    # A 3x3 convolution of one channel to 4, a depthwise one, and 64 values to 10 classes.
    work = {layer.operator: (layer.macs, layer.weights) for layer in facts.layers}
    assert work["CONV_2D"] == (6 * 6 * 4 * 9, 36 + 4)
    assert work["DEPTHWISE_CONV_2D"] == (4 * 4 * 4 * 9, 36 + 4)
    assert work["FULLY_CONNECTED"] == (64 * 10, 64 * 10)
    assert work["SOFTMAX"] == (0, 0)
    assert facts.macs == sum(layer.macs or 0 for layer in facts.layers)
    assert (facts.weights, facts.weight_bytes) == (716, 4 * 716)
    assert (facts.inputs, facts.outputs) == (("1x8x8x1 float32",), ("1x10 float32",))


def test_weights_agree_with_those_that_the_runtime_holds(content: bytes) -> None:
    zeros, values = Runner(content).zeros()
    kernels = [
        layer
        for layer in inspection.read(content, "small").layers
        if layer.operator in ("CONV_2D", "FULLY_CONNECTED")
    ]
    assert sum(round((la.zeros or 0) * (la.weights - _biases(la))) for la in kernels) == zeros
    assert sum(la.weights - _biases(la) for la in kernels) == values


def _biases(layer: inspection.Layer) -> int:
    return layer.outputs[0][-1] if layer.operator == "CONV_2D" else 0


def test_a_quantized_file_is_recognised_by_its_scheme(facts: inspection.ModelFacts) -> None:
    small = inspection.read((MODELS / "small_int8.tflite").read_bytes(), "int8")
    schemes = {layer.operator: layer.scheme for layer in small.layers}
    assert schemes["CONV_2D"] == "static int8, per channel"
    assert schemes["SOFTMAX"] == "int8"
    assert small.macs == facts.macs
    assert all((layer.distinct or 0) <= 255 for layer in small.layers)


def test_a_model_does_not_differ_from_itself(facts: inspection.ModelFacts) -> None:
    found = inspection.changes(facts, facts)
    assert len(found) == len(facts.layers)
    assert not any(change.is_one for change in found)


def test_changes_pair_layers_though_names_and_order_differ(
    facts: inspection.ModelFacts,
) -> None:
    small = inspection.read((MODELS / "small_int8.tflite").read_bytes(), "int8")
    found = inspection.changes(facts, small)
    assert [c.before.operator for c in found if c.before] == [la.operator for la in facts.layers]
    for change in found:
        if change.before and change.after:
            assert change.before.operator == change.after.operator
    assert sum(change.before is None for change in found) == len(small.layers) - len(facts.layers)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model/hidden_1/MatMul;model/hidden_1/BiasAdd", "model/hidden_1/MatMul"),
        ("model/conv/Conv2D_2", "model/conv/Conv2D"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall"),
        ("", ""),
    ],
)
def test_names_lose_what_converters_add(name: str, expected: str) -> None:
    assert plain(name) == expected


@pytest.mark.parametrize("file", ["small.tflite", "small_int8.tflite"])
def test_an_operator_alone_gives_what_it_gives_in_the_model(file: str) -> None:
    content = (MODELS / file).read_bytes()
    first = next(layer for layer in inspection.read(content, file).layers if layer.macs)
    sample = np.arange(64).reshape(1, 8, 8, 1) - 32
    outputs = []
    for model in (content, cut_out(load(content), first.index)):
        interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=True)
        interpreter.allocate_tensors()
        taken = interpreter.get_input_details()[0]
        interpreter.set_tensor(taken["index"], sample.astype(taken["dtype"]))
        interpreter.invoke()
        by_name = {t["name"]: t["index"] for t in interpreter.get_tensor_details()}
        outputs.append(interpreter.get_tensor(by_name[first.name]))
    assert np.ptp(outputs[0])
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)


def test_every_operator_that_multiplies_is_timed(
    content: bytes, facts: inspection.ModelFacts
) -> None:
    told: list[tuple[int, int]] = []
    chosen = {layer.index: layer.operator for layer in facts.layers if layer.macs}
    times = alone.time_alone(content, chosen, lambda done, of: told.append((done, of)))
    assert times.keys() == chosen.keys()
    assert all(time is not None and time > 0 for time in times.values())
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)


@pytest.mark.parametrize("cut", [12, 100, 700])
def test_a_torn_file_is_refused_in_one_sentence(content: bytes, cut: int) -> None:
    with pytest.raises(BadInputError, match="is torn"):
        inspection.read(content[:cut], "torn.tflite")


def test_a_file_that_is_no_model_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"no \.tflite file"):
        inspection.read(b"\0" * 100, "zeros.tflite")


def test_the_command_shows_one_and_two_and_speaks_json() -> None:
    small, quantized = str(MODELS / "small.tflite"), str(MODELS / "small_int8.tflite")
    shown = CliRunner().invoke(main, ["inspect", small])
    assert shown.exit_code == 0
    assert "CONV_2D" in shown.output
    assert "2,512 MACs" in shown.output
    both = CliRunner().invoke(main, ["inspect", small, quantized])
    assert "1.38× smaller" in both.output
    document = json.loads(CliRunner().invoke(main, ["inspect", small, quantized, "--json"]).stdout)
    assert document["before"]["macs"] == document["after"]["macs"]
    assert document["changes"]


def test_the_command_refuses_bad_input(tmp_path: Path) -> None:
    missing = CliRunner().invoke(main, ["inspect", str(tmp_path / "none.tflite")])
    assert missing.exit_code == 2
    assert "none.tflite does not exist" in missing.stderr
    two = CliRunner().invoke(main, ["inspect", "a.tflite", "b.tflite", "--time"])
    assert two.exit_code == 2


def test_an_open_shape_is_shown_and_not_timed(content: bytes, tmp_path: Path) -> None:
    path = open_shape(tmp_path / "open.tflite", content, [1, -1, -1, 1])
    shown = CliRunner().invoke(main, ["inspect", str(path)])
    assert shown.exit_code == 0
    assert "--input-shape gives another" in shown.output
    timed = CliRunner().invoke(main, ["inspect", str(path), "--time"])
    assert timed.exit_code == 2
    assert "has an open shape [1, ?, ?, 1]; give one" in timed.output
    given = CliRunner().invoke(main, ["inspect", str(path), "--input-shape", "1,8,8,1"])
    assert "args_0 float32 [1, 8, 8, 1] → " in given.output
