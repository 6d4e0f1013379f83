"""Two models side by side: which layer became what."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from mobilebench.tflite.inspect.layers import Layer, ModelFacts


@dataclass(frozen=True)
class Change:
    """A layer before and after; None where it is not in that model."""

    before: Layer | None
    after: Layer | None

    @property
    def is_one(self) -> bool:
        """Whether anything that costs or stores something is different."""
        if self.before is None or self.after is None:
            return True
        kept = ("operator", "outputs", "weights", "bytes", "macs", "zeros", "distinct", "scheme")
        return any(getattr(self.before, k) != getattr(self.after, k) for k in kept)


def changes(before: ModelFacts, after: ModelFacts) -> tuple[Change, ...]:
    """The layers of two models, matched by name, and what is left by kind and order.

    Compression keeps the names of layers, mostly: converters add suffixes of their own to them.
    """
    partners = _by_name(before, after)
    taken = set(partners.values())
    waiting: dict[str, list[Layer]] = defaultdict(list)
    for layer in after.layers:
        if layer.index not in taken:
            waiting[layer.operator].append(layer)
    known = {layer.index: layer for layer in after.layers}
    found = []
    for layer in before.layers:
        if layer.index in partners:
            found.append(Change(layer, known[partners[layer.index]]))
        else:
            same = waiting[layer.operator]
            found.append(Change(layer, same.pop(0) if same else None))
    left = sorted((la for rest in waiting.values() for la in rest), key=lambda la: la.index)
    return (*found, *(Change(None, layer) for layer in left))


def _by_name(before: ModelFacts, after: ModelFacts) -> dict[int, int]:
    there: dict[tuple[str, str], list[int]] = defaultdict(list)
    for layer in after.layers:
        there[layer.operator, plain(layer.name)].append(layer.index)
    pairs = {}
    for layer in before.layers:
        same = there[layer.operator, plain(layer.name)]
        if same:
            pairs[layer.index] = same.pop(0)
    return pairs


def plain(name: str) -> str:
    """A layer's name without what converters put around it.

    Of ``model/hidden/MatMul;model/hidden/Relu;model/hidden/BiasAdd`` the first part counts, and a
    number that a converter adds (``MatMul_2``, ``Conv2D1``, ``:0``) does not.
    """
    first = name.split(";", 1)[0]
    return re.sub(r"(_?\d+)?(:\d+)?$", "", first)
