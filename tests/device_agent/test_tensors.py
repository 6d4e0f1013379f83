from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench_agent import indices, tensors
from mobilebench_agent.runtime import AgentError


class Graph:
    """An interpreter that only tells its nodes: the runtime's own would need a file for each."""

    def __init__(
        self,
        shapes: dict[int, tuple[Any, tuple[int, ...]]],
        nodes: list[tuple[str, list[int], int]],
    ) -> None:
        self._shapes = shapes
        self._nodes = nodes
        self.values: dict[int, Any] = {}

    def get_tensor_details(self) -> list[dict[str, Any]]:
        return [
            {"index": i, "name": str(i), "dtype": kind, "shape": np.array(shape)}
            for i, (kind, shape) in self._shapes.items()
        ]

    def get_input_details(self) -> list[dict[str, Any]]:
        return self.get_tensor_details()[:2]

    def _get_ops_details(self) -> list[dict[str, Any]]:
        return [
            {"op_name": n, "inputs": taken, "outputs": [given]} for n, taken, given in self._nodes
        ]

    def set_tensor(self, index: int, value: Any) -> None:
        self.values[index] = value


def looked_up(*, axis: int = 0, rows: int = 7) -> Graph:
    """Two inputs of int64 (0) and float32 (1); the first is cast and then looked up."""
    table = (rows, 5) if axis == 0 else (5, rows)
    found = (1, 4, 5) if axis == 0 else (5, 1, 4)
    return Graph(
        {
            0: (np.int64, (1, 4)),
            1: (np.float32, (1, 4)),
            2: (np.int32, (1, 4)),
            3: (np.float32, table),
            4: (np.float32, found),
            5: (np.float32, (1, 4)),
        },
        [("CAST", [0], 2), ("ADD", [1, 1], 5), ("GATHER", [3, 2], 4)],
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_of_a_table_are_followed_through_casts(axis: int) -> None:
    graph = looked_up(axis=axis)
    assert indices.table_rows(graph) == {0: 7}
    tensors.fill_with_noise(graph, seed=0)
    assert graph.values[0].dtype == np.int64
    assert (graph.values[0] >= 0).all()
    assert (graph.values[0] < 7).all()
    assert graph.values[1].dtype == np.float32


def test_a_large_table_gives_what_benchmark_model_gives() -> None:
    values = []
    for seed in range(50):
        graph = looked_up(rows=30_000)
        tensors.fill_with_noise(graph, seed)
        values.append(graph.values[0])
    assert 90 < np.max(values) <= 99
    assert np.min(values) == 0


def test_a_runtime_that_reports_nothing() -> None:
    class Silent(Graph):
        def _get_ops_details(self) -> list[dict[str, Any]]:
            raise AttributeError

    assert indices.table_rows(Silent({0: (np.int64, (1,)), 1: (np.int64, (1,))}, [])) == {}
    assert indices.table_rows(object()) == {}


def test_a_model_without_a_table(model_file: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model_file))
    interpreter.allocate_tensors()
    assert indices.table_rows(interpreter) == {}


def detail(kind: Any, scale: float = 0.0, zero_point: int = 0) -> dict[str, Any]:
    return {"name": "x", "dtype": kind, "quantization": (scale, zero_point)}


@pytest.mark.parametrize("given", ["bool", "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("scale", [0.0, 1 / 255])
def test_whole_numbers_go_into_an_integer_input_as_they_are(
    given: str, kind: Any, scale: float
) -> None:
    values = np.array([0, 1, 1, 100]).astype(given)
    taken, clipped = tensors.to_input(values, detail(kind, scale, 3))
    assert taken.dtype == kind
    assert taken.tolist() == values.astype(int).tolist()
    assert clipped == 0


@pytest.mark.parametrize(
    ("values", "kind", "scale", "words"),
    [
        (np.array([0, 256]), np.uint8, 0.5, "beyond 0 to 255"),
        (np.array([0, 200], np.uint8), np.int8, 0.5, "give real numbers to have them quantized"),
        (np.array([-1]), np.uint8, 0.0, "beyond 0 to 255"),
        (np.array([40_000.0]), np.int16, 0.0, "beyond -32768 to 32767"),
        (np.array([0.5]), np.int32, 0.0, "fractions"),
        (np.array([np.nan]), np.int32, 0.0, "fractions"),
        (np.array([np.nan]), np.int8, 0.5, "have a NaN"),
    ],
)
def test_what_an_integer_input_cannot_hold(
    values: Any, kind: Any, scale: float, words: str
) -> None:
    with pytest.raises(AgentError, match=words) as caught:
        tensors.to_input(values, detail(kind, scale))
    assert caught.value.code == "inputs_bad"


def test_real_numbers_are_quantized_and_clipped_ones_counted() -> None:
    values = np.array([0.0, 0.25, 1.0, 255.0, -3.0], np.float32)
    taken, clipped = tensors.to_input(values, detail(np.int8, 1 / 255, -128))
    assert taken.tolist() == [-128, -64, 127, 127, -128]
    assert clipped == 2
    assert tensors.to_input(values, detail(np.float32))[0].tolist() == values.tolist()


def test_clipping_is_warned_of_above_one_percent() -> None:
    assert tensors.clipping_warnings(1, 100, detail(np.int8)) == ()
    (said,) = tensors.clipping_warnings(25, 200, detail(np.int8))
    assert said == (
        "at least 12 % of the values of the samples are beyond the range of the model's input 'x' "
        "and were clipped: are they scaled as it expects?"
    )
