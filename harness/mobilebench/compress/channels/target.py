"""The share of channels to remove to meet a target of size, arithmetic or latency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mobilebench.compress.channels.allocation import Allocation, least_share
from mobilebench.compress.channels.cost import cost_of
from mobilebench.compress.channels.graph import ChannelGraph
from mobilebench.compress.channels.rewrite import shrink
from mobilebench.compress.step import MOST_COMPARISONS, DeviceLatency
from mobilebench.errors import StepError
from mobilebench.models.array import Array
from mobilebench.text import percent

#: The search for a latency has this resolution, since each comparison costs a conversion and
#: measurements: all but one of them halve the interval.
_LATENCY_STEPS = 2 ** (MOST_COMPARISONS - 1)


def share_for_cost(
    graph: ChannelGraph, allocate: Allocation, quantity: str, goal: float, what: str
) -> float:
    """The least share of channels to remove so that no more than a goal of the cost remains.

    Args:
        graph: the network's channels.
        allocate: which go for a share.
        quantity: ``parameters`` or ``macs``.
        goal: the share that may remain.
        what: the step, for the message.

    Raises:
        StepError: there is none.
    """
    whole = getattr(cost_of(graph), quantity)

    def remaining(keep: Array) -> float:
        return float(getattr(cost_of(graph, keep), quantity) / whole)

    share = least_share(allocate, lambda keep: remaining(keep) <= goal)
    if share is None:
        words = {"macs": "multiply-accumulates"}.get(quantity, quantity)
        raise StepError(_too_far(what, remaining(allocate(1.0)), words))
    return share


def share_for_latency(
    model: Any,
    graph: ChannelGraph,
    allocate: Allocation,
    goal: float,
    device_latency: DeviceLatency,
    what: str,
) -> tuple[float, dict[str, Any]]:
    """The least share of channels to remove so that a model is measured to be fast enough.

    By bisection over steps of 1/32, with models as they are before retraining, which changes
    their weights and not their speed. Latency is taken to fall with the number of channels; near
    the goal, noise decides.

    Args:
        model: the model that ``graph`` was read from.
        graph: its channels.
        allocate: which go for a share.
        goal: the share of the latency that may remain.
        device_latency: measures the latency of networks on a device.
        what: the step, for the message.

    Returns:
        the share, and for the provenance what was tried and measured.

    Raises:
        StepError: there is none, or latency cannot be measured.
    """
    tried: dict[int, float] = {}

    def fits(steps: int) -> bool:
        narrow = shrink(model, graph, allocate(steps / _LATENCY_STEPS))
        tried[steps] = device_latency.relative(narrow)
        return tried[steps] <= goal

    found = _first(fits, _LATENCY_STEPS)
    if found not in tried and not fits(found):
        raise StepError(_too_far(what, tried[found], f"latency on {device_latency.device}"))
    share = found / _LATENCY_STEPS
    return share, {
        "latency_device": device_latency.device,
        "latency_share": tried[found],
        "latency_tried": [[n / _LATENCY_STEPS, tried[n]] for n in sorted(tried)],
    }


def _first(fits: Callable[[int], bool], last: int) -> int:
    """The first of 1 to ``last`` that fits, if the later do as well; ``last`` is not tried."""
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle
    return high


def _too_far(what: str, remaining: float, quantity: str) -> str:
    return (
        f"{what} cannot be met: with as few channels as can be, {percent(remaining)} of the "
        f"{quantity} remain"
    )
