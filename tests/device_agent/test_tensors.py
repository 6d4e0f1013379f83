from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_agent import indices, tensors


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


def test_a_runtime_that_tells_nothing() -> None:
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
