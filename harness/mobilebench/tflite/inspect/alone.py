"""How long each operator takes by itself.

The Python runtime has no profiler, and a delegate runs many operators as one. So each operator
that multiplies is cut out into a model of its own, with its own weights, and that is timed on
this machine. What a delegate gains by fusing neighbours is not seen: the shares say where the
time goes, and their sum is not the model's latency.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from mobilebench.errors import StepError
from mobilebench.tflite.cut import cut_out
from mobilebench.tflite.file import load
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


def _median(runner: Runner) -> int:
    runner.run(runner.noise(1, seed=0))
    times: list[int] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _RUNS or time.perf_counter() < end:
        times.append(runner.time_again())
    return int(np.median(times))
