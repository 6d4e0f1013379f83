"""The distinct operators of a file: what is computed alike is timed once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mobilebench.records.operator_times import DistinctOperator
from mobilebench.tflite import cut
from mobilebench.tflite.graph import Operator, Tensor, parse, read_whole
from mobilebench.tflite.inspect.arithmetic import macs


def distinct_operators(content: bytes, where: str) -> tuple[DistinctOperator, ...]:
    """A file's distinct operators, in the order in which they come first.

    Operators that only unpack a constant are not among them, nor are those that are given
    constants only, or run other subgraphs.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    graph, given = parse(content, where), read_whole(content, where, cut.given)
    groups: dict[str, list[Operator]] = {}
    for operator in graph.operators:
        if given.get(operator.index) and not runs_subgraphs(operator):
            groups.setdefault(_identity(operator), []).append(operator)
    return tuple(_of(group) for group in groups.values())


def runs_subgraphs(operator: Operator) -> bool:
    """Whether it is no operator by itself, like ``WHILE``."""
    return any("subgraph" in key.lower() for key in vars(operator.options or object))


def _of(group: list[Operator]) -> DistinctOperator:
    first = group[0]
    tensors = [t for t in (*first.inputs, *first.outputs) if t is not None]
    return DistinctOperator(
        indices=tuple(operator.index for operator in group),
        kind=first.kind,
        names=tuple(o.outputs[0].name if o.outputs else "" for o in group),
        inputs=tuple(_described(t) for t in first.inputs if t is not None),
        outputs=tuple(_described(t) for t in first.outputs),
        macs=macs(first),
        bytes=sum(_bytes(t) for t in tensors),
    )


def _identity(operator: Operator) -> str:
    return repr(
        (
            operator.kind,
            sorted(_plain(vars(operator.options))) if operator.options is not None else None,
            [None if t is None else _form(t) for t in operator.inputs],
            [_form(t) for t in operator.outputs],
        )
    )


def _plain(options: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in options.items():
        yield key, str(value)


def _form(tensor: Tensor) -> tuple[object, ...]:
    stored = tensor.content is not None
    # Sparse weights take as long as what is stored of them.
    size = len(tensor.content or b"") if tensor.sparse else 0
    return tensor.shape, tensor.type, stored, tensor.scales > 1, tensor.blockwise, size


def _bytes(tensor: Tensor) -> int:
    if tensor.content is not None:
        return len(tensor.content)
    return tensor.count * tensor.bits // 8


def _described(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {tensor.type.lower()}"
