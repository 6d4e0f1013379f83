"""How long each operator takes by itself.

The Python runtime has no profiler, and a delegate runs many operators as one. So each operator
that multiplies is cut out into a model of its own, with its own weights, and that is timed on
this machine. What a delegate gains by fusing neighbours is not seen: the shares say where the
time goes, and their sum is not the model's latency.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import numpy as np

from mobilebench.errors import StepError
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import UNPACKING, kind_of
from mobilebench.tflite.interpreter import Runner

#: Each operator is run for this long at least, and this often (seconds, inferences).
_SECONDS, _RUNS = 0.05, 5


def time_alone(
    content: bytes, layers: Mapping[int, str], report: Callable[[int, int], None]
) -> dict[int, int | None]:
    """The median time of each operator alone (ns), by its index; None where it does not run.

    Args:
        content: a .tflite file.
        layers: the operators to time, by index.
        report: is given how many are done, and of how many.
    """
    model = load(content)
    found: dict[int, int | None] = {}
    for done, index in enumerate(layers):
        report(done, len(layers))
        try:
            found[index] = _median(Runner(cut_out(model, index)))
        except StepError:
            found[index] = None
    report(len(layers), len(layers))
    return found


def cut_out(model: Any, index: int) -> bytes:
    """A file with one operator of the first subgraph, its constants, and what unpacks them."""
    graph = model.subgraphs[0]
    chosen = graph.operators[index]
    makers = {int(o.outputs[0]): o for o in graph.operators if _unpacks(model, o)}
    operators, wanted = [chosen], [int(t) for t in chosen.inputs if t >= 0]
    constants = set()
    while wanted:
        tensor = wanted.pop()
        if tensor in makers:
            operators.insert(0, makers[tensor])
            wanted.append(int(makers[tensor].inputs[0]))
        elif _has_data(model, graph.tensors[tensor]):
            constants.add(tensor)
    made = {int(t) for o in operators for t in o.outputs}
    inputs = [
        int(t) for o in operators for t in o.inputs if t >= 0 and int(t) not in constants | made
    ]
    single, part = copy(model), copy(graph)
    single.subgraphs = [part]
    single.signatureDefs = single.metadata = single.metadataBuffer = None
    part.operators = [copy(o) for o in operators]
    part.inputs = np.array(list(dict.fromkeys(inputs)), dtype=np.int32)
    part.outputs = np.array([int(t) for t in chosen.outputs], dtype=np.int32)
    _keep_only(model, single)
    return dump(single)


def _keep_only(model: Any, single: Any) -> None:
    """Renumbers tensors and buffers to those that the operators use."""
    part = single.subgraphs[0]
    used = sorted(
        {int(t) for o in part.operators for t in (*o.inputs, *o.outputs) if t >= 0}
        | {int(t) for t in part.inputs}
    )
    number = {old: new for new, old in enumerate(used)} | {-1: -1}
    part.tensors = [copy(part.tensors[old]) for old in used]
    single.buffers = [type(model.buffers[0])()]
    for tensor in part.tensors:
        single.buffers.append(model.buffers[tensor.buffer])
        tensor.buffer = len(single.buffers) - 1
    for operator in part.operators:
        operator.inputs = np.array([number[int(t)] for t in operator.inputs], dtype=np.int32)
        operator.outputs = np.array([number[int(t)] for t in operator.outputs], dtype=np.int32)
    part.inputs = np.array([number[int(t)] for t in part.inputs], dtype=np.int32)
    part.outputs = np.array([number[int(t)] for t in part.outputs], dtype=np.int32)


def _unpacks(model: Any, operator: Any) -> bool:
    return kind_of(model, operator) in UNPACKING


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _median(runner: Runner) -> int:
    runner.run(runner.noise(1, seed=0))
    times: list[int] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _RUNS or time.perf_counter() < end:
        times.append(runner.time_again())
    return int(np.median(times))
