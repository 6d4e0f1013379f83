"""Groups of channels that can only be removed together.

Every layer makes channels of its own; whatever ties channels of two layers together (a residual
add, a gate, a depthwise convolution, a shared layer) makes one of both. What is left is a set of
*channels*: each is made by one or more layers, and is removed everywhere or nowhere. This is
the dependency graph of Fang et al. 2023 (DepGraph), channel by channel rather than layer by
layer, so that concatenations need no case of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.compress.channels.rules import HeldError, Rule, mixes_channels, rule_for
from mobilebench.compress.channels.walk import call, walk
from mobilebench.models.array import Array

Path = tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """One call of a layer or operation.

    Attributes:
        path: the names of the models around it and its own.
        operation: the layer or operation.
        rule: how channels go through it; None if it holds them.
        inputs: for each input, the channel number of each position on its last axis.
        outputs: likewise for each output.
        input_shape: of the first input, without the batch.
        output_shape: of the first output, without the batch.
    """

    path: Path
    operation: Any
    rule: Rule | None
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


@dataclass(frozen=True)
class Pool:
    """Channels made by the same layers, which are ranked against each other."""

    layers: tuple[str, ...]
    channels: Array


@dataclass(frozen=True)
class ChannelGraph:
    """A network's channels, numbered from 0.

    Attributes:
        count: how many there are.
        calls: what happens in the network, in order.
        entrances: for each input of a nested model, the channels on its last axis.
        pools: the channels that may be removed, by the layers that make them.
        held: why layers hold channels that could go otherwise.
    """

    count: int
    calls: tuple[Call, ...]
    entrances: dict[Path, Array]
    pools: tuple[Pool, ...]
    held: dict[str, str]

    def layers(self) -> dict[Path, Call]:
        """The first call of each layer."""
        found: dict[Path, Call] = {}
        for made in self.calls:
            found.setdefault(made.path, made)
        return found


def channel_graph(model: Any) -> ChannelGraph:
    """Reads a model. It is run once, on zeros, so that every shape is known.

    Raises:
        StepError: the model is no functional graph.
    """
    import keras

    reader = _Reader()
    start = []
    for tensor in model.inputs:
        shape = tuple(1 if n is None else int(n) for n in tensor.shape[1:])
        value = keras.ops.zeros((1, *shape), dtype=tensor.dtype)
        start.append((value, reader.held_channels(shape[-1] if shape else 0)))
    outputs = walk(model, start, reader.visit, enter=reader.enter)
    return reader.graph([channels for _, channels in outputs])


def name_of(path: Path) -> str:
    """How messages call a layer: ``block/expand``."""
    return "/".join(path)


class _Reader:
    """Follows channels through the graph; a value on the way is a tensor and its channels."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._makers: list[Path | None] = []
        self._calls: list[Call] = []
        self._first: dict[int, Call] = {}
        self._entrances: dict[Path, Array] = {}
        self._stops: list[tuple[Path, str, Array]] = []
        self._fixed: list[Array] = []  # what the network takes, and what can never go

    def visit(
        self, operation: Any, path: Path, node: Any, inputs: list[tuple[Any, Array]]
    ) -> list[tuple[Any, Array]]:
        where = (*path, str(operation.name))
        tensors = [tensor for tensor, _ in inputs]
        channels = [ids for _, ids in inputs]
        results = call(operation, node, tensors)
        shapes = [tuple(int(n) for n in result.shape[1:]) for result in results]
        first = self._first.get(id(operation))
        rule: Rule | None = None
        try:
            rule = rule_for(operation)
            outputs = [self._flow(rule, where, operation, node, inputs, shapes[0])]
            if first is not None:
                self._tie_calls(first, channels, outputs)
        except HeldError as error:
            rule = None
            if first is not None:  # one of its calls cannot be cut, so no other can
                for ids in (*first.inputs, *first.outputs):
                    self._stops.append((where, str(error), ids))
            for ids in channels:
                self._stops.append((where, str(error), ids))
            outputs = [self.held_channels(shape[-1] if shape else 0) for shape in shapes]
        made = Call(
            where,
            operation,
            rule,
            tuple(channels),
            tuple(outputs),
            tuple(int(n) for n in tensors[0].shape[1:]) if tensors else (),
            shapes[0],
        )
        self._calls.append(made)
        self._first.setdefault(id(operation), made)
        return list(zip(results, outputs, strict=True))

    def enter(self, path: Path, model: Any, values: list[tuple[Any, Array]]) -> None:
        for tensor, (_, channels) in zip(model.inputs, values, strict=True):
            name = str(tensor._keras_history.operation.name)
            known = self._entrances.setdefault((*path, name), channels)
            if len(known) == len(channels):
                self._tie(known, channels)

    def held_channels(self, count: int) -> Array:
        channels = self._new(count, None)
        self._fixed.append(channels)
        return channels

    def graph(self, results: list[Array]) -> ChannelGraph:
        """What was found, with channels numbered anew, if the network gives these."""
        roots = [self._find(atom) for atom in range(len(self._parent))]
        numbers = {root: i for i, root in enumerate(dict.fromkeys(roots))}
        number = np.array([numbers[root] for root in roots], dtype=np.int64)

        fixed = np.zeros(len(numbers), dtype=np.bool_)
        for atoms in (*self._fixed, *results):
            fixed[number[atoms]] = True
        given = {atom for atoms in results for atom in atoms.tolist()}
        last = {c.path for c in self._calls if given.issuperset(*(o.tolist() for o in c.outputs))}
        held: dict[str, str] = {}
        stopped = fixed.copy()
        for path, reason, atoms in self._stops:
            channels = number[atoms]
            if not fixed[channels].all() and path not in last:  # a softmax at the end is no news
                held.setdefault(name_of(path), reason)
            stopped[channels] = True
        makers: list[dict[str, None]] = [{} for _ in numbers]
        for atom, maker in enumerate(self._makers):
            if maker is not None:
                makers[number[atom]][name_of(maker)] = None
        pools: dict[tuple[str, ...], list[int]] = {}
        for channel, layers in enumerate(makers):
            if layers and not stopped[channel]:
                pools.setdefault(tuple(layers), []).append(channel)
        return ChannelGraph(
            len(numbers),
            tuple(
                Call(
                    c.path,
                    c.operation,
                    c.rule,
                    tuple(number[a] for a in c.inputs),
                    tuple(number[a] for a in c.outputs),
                    c.input_shape,
                    c.output_shape,
                )
                for c in self._calls
            ),
            {path: number[atoms] for path, atoms in self._entrances.items()},
            tuple(Pool(k, np.array(v, dtype=np.int64)) for k, v in pools.items()),
            held,
        )

    # How channels go through one call.

    def _flow(
        self,
        rule: Rule,
        where: Path,
        operation: Any,
        node: Any,
        inputs: list[tuple[Any, Array]],
        shape: tuple[int, ...],
    ) -> Array:
        channels = [ids for _, ids in inputs]
        shapes = [tuple(tensor.shape) for tensor, _ in inputs]
        mixing = mixes_channels(operation)
        if rule.flow == "new":
            known = self._first.get(id(operation))
            out = self._new(shape[-1], where) if known is None else known.outputs[0]
            if mixing is not None:
                self._stops.append((where, f"ends in {mixing}, which sees all channels", out))
            return out
        if mixing is not None:
            raise HeldError(f"applies {mixing}, which sees all channels")
        if rule.flow == "merge":
            return self._merge(operation, node, channels)
        if rule.flow == "join":
            return self._join(operation, channels, len(shapes[0]))
        if rule.flow == "reshape":
            return self._reshape(channels[0], shapes[0][1:], shape)
        out = channels[0]
        if rule.flow == "repeat":
            out = np.repeat(out, operation.depth_multiplier)
        _check_axes(operation, len(shapes[0]), len(out))
        _check_constants(node, len(inputs))
        if not shape or shape[-1] != len(out):
            raise HeldError("changes its channels in a way that is not known")
        return out

    def _merge(self, operation: Any, node: Any, channels: list[Array]) -> Array:
        _check_constants(node, len(channels))
        if type(operation).__name__ in ("TrueDivide", "Divide") and not (
            len(channels) == 1 and node.arguments.args and node.arguments.args[0] in _tensors(node)
        ):
            raise HeldError("divides by channels")
        widest = max(channels, key=len)
        for other in channels:
            if len(other) == len(widest):
                self._tie(widest, other)
            elif len(other) == 1:  # broadcast: without this one nothing would be left
                self._fixed.append(other)
            else:
                raise HeldError("joins inputs of unlike sizes")
        return widest

    def _join(self, operation: Any, channels: list[Array], rank: int) -> Array:
        if operation.axis in (-1, rank - 1):
            return np.concatenate(channels)
        for other in channels[1:]:
            self._tie(channels[0], other)
        return channels[0]

    def _reshape(self, channels: Array, before: tuple[int, ...], after: tuple[int, ...]) -> Array:
        """Row-major: the last axis runs fastest, before and after."""
        if not before or not after:
            raise HeldError("reshapes to a single number")
        old, new = len(channels), after[-1]
        if new == old:
            return channels
        if new % old == 0:
            return np.tile(channels, new // old)
        if old % new == 0 and math.prod(before) == old:
            rows = channels.reshape(-1, new)
            for row in rows[1:]:
                self._tie(rows[0], row)
            return np.asarray(rows[0])
        raise HeldError("reshapes across its channels")

    def _tie_calls(self, first: Call, channels: list[Array], outputs: list[Array]) -> None:
        """A layer that is called again has one set of weights, which is cut once."""
        if first.rule is None:
            raise HeldError("is called elsewhere, where its channels are held")
        pairs = zip((*first.inputs, *first.outputs), (*channels, *outputs), strict=False)
        for one, other in pairs:
            if len(one) != len(other):
                raise HeldError("is called on inputs of unlike sizes")
            self._tie(one, other)

    def _new(self, count: int, maker: Path | None) -> Array:
        start = len(self._parent)
        self._parent += range(start, start + count)
        self._makers += [maker] * count
        return np.arange(start, start + count)

    def _find(self, atom: int) -> int:
        while self._parent[atom] != atom:
            self._parent[atom] = self._parent[self._parent[atom]]
            atom = self._parent[atom]
        return atom

    def _tie(self, some: Array, others: Array) -> None:
        for a, b in zip(some.tolist(), others.tolist(), strict=True):
            one, other = self._find(a), self._find(b)
            self._parent[max(one, other)] = min(one, other)


def _tensors(node: Any) -> Sequence[Any]:
    tensors: Sequence[Any] = node.arguments.keras_tensors
    return tensors


def _check_axes(operation: Any, rank: int, channels: int) -> None:
    """A layer that passes channels on must leave the last axis alone, or run along it."""
    name = type(operation).__name__
    axis = getattr(operation, "axis", None)
    if name == "BatchNormalization" and axis not in (-1, rank - 1):
        raise HeldError("normalizes along another axis than the channels")
    if name in ("Mean", "Max", "Min", "Sum"):
        axes = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
        if any(a in (-1, rank - 1) for a in axes):
            raise HeldError("sums its channels up")
    if name == "PReLU" and operation.alpha.shape[-1] != channels:
        raise HeldError("shares its slopes between channels")
    if name == "Rescaling" and any(np.size(v) != 1 for v in (operation.scale, operation.offset)):
        raise HeldError("has a scale for each channel")


def _check_constants(node: Any, inputs: int) -> None:
    """Numbers in an operation's arguments must not be one for each channel."""
    import keras

    flat = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    if len(flat) > inputs and any(
        np.ndim(value) > 0 and np.size(value) > 1
        for value in flat
        if value is not None and not isinstance(value, keras.KerasTensor | str)
    ):
        raise HeldError("has numbers for each channel in its arguments")
