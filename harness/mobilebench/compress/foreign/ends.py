"""The inputs and outputs of a converted file: named and laid out as its source has them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilebench.errors import StepError, first_line
from mobilebench.models.array import Array
from mobilebench.tflite import file


def as_source(
    content: bytes, given: Mapping[str, Array], wanted: Mapping[str, Array]
) -> tuple[bytes, str]:
    """The file with the source's names, and with channels in outputs where the source has them.

    Args:
        content: a .tflite with a signature.
        given: what its inputs were given, by the source's name (calls, *shape).
        wanted: what the source answered.

    Returns:
        the file, and the names of the outputs that were laid out anew.

    Raises:
        StepError: an end of the source is not found in the file, or the file cannot be run.
    """
    model = file.load(content)
    missing = [
        bytes(code.customCode).decode("utf-8", "replace").removeprefix("Flex")
        for code in model.operatorCodes
        if code.customCode
    ]
    if missing:
        raise StepError(f"no built-in operator computes {', '.join(missing)}")
    signature = _signature(model)
    _rename(signature.inputs, list(given), "input")
    _rename(signature.outputs, list(wanted), "output")
    named = file.dump(model)
    found = run(named, given)
    moved = []
    for name, answer in wanted.items():
        order = _order(found[name], answer)
        if order is not None:
            _transpose(model, signature, name, order)
            moved.append(name)
    return (file.dump(model) if moved else named), ", ".join(moved)


def run(content: bytes, given: Mapping[str, Array]) -> dict[str, Array]:
    """What a file answers to each call, by output (calls, *shape).

    Raises:
        StepError: it cannot be run.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        runner = Interpreter(model_content=content).get_signature_runner()
        taken = runner.get_input_details()
        rows = [
            runner(**{n: x[call].astype(taken[n]["dtype"]) for n, x in given.items()})
            for call in range(len(next(iter(given.values()))))
        ]
    except (RuntimeError, ValueError, KeyError) as error:
        raise StepError(first_line(error)) from error
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _signature(model: Any) -> Any:
    """The file's signature; made where there is none."""
    from ai_edge_litert import schema_py_generated as schema

    if model.signatureDefs:
        return model.signatureDefs[0]
    graph = model.subgraphs[0]

    def entries(indices: Sequence[int], what: str) -> list[Any]:
        made = []
        for number, index in enumerate(indices):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = f"{what}_{number}".encode(), int(index)
            made.append(entry)
        return made

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs = entries(graph.inputs, "args")
    signature.outputs = entries(graph.outputs, "output")
    model.signatureDefs = [signature]
    return signature


def _rename(entries: list[Any], names: list[str], what: str) -> None:
    """Gives each entry its source's name: that of its number (``args_0``), or one like its own."""
    if len(entries) != len(names):
        raise StepError(f"it has {len(entries)} {what}s, and its source {len(names)}")
    by_plain = {_plain(name): name for name in names}
    for entry in entries:
        own = entry.name.decode("utf-8", "replace")
        number = own.removeprefix("args_").removeprefix("output_")
        if own not in names and number.isdigit() and int(number) < len(names):
            entry.name = names[int(number)].encode()
        elif _plain(own) in by_plain:
            entry.name = by_plain[_plain(own)].encode()
        else:
            raise StepError(f"its {what} {own!r} is none of its source's: {', '.join(names)}")
    if len({bytes(entry.name) for entry in entries}) < len(names):
        raise StepError(f"two of its {what}s have one name")


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _order(found: Array, wanted: Array) -> tuple[int, ...] | None:
    """How the axes of an output of one call must be permuted; None if they are right."""
    rank = found.ndim - 1
    if rank < 3 or found.ndim != wanted.ndim:
        return None
    last_to_second = (0, rank - 1, *range(1, rank - 1))
    moved = np.moveaxis(found, -1, 2)
    if moved.shape != wanted.shape:
        return None
    if found.shape == wanted.shape and np.abs(found - wanted).max() <= np.abs(moved - wanted).max():
        return None
    return last_to_second


def _transpose(model: Any, signature: Any, name: str, order: tuple[int, ...]) -> None:
    """Appends a TRANSPOSE to an output."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[signature.subgraphIndex]
    (entry,) = (e for e in signature.outputs if e.name.decode() == name)
    old = int(entry.tensorIndex)
    model.buffers.append(schema.BufferT(np.array(order, "<i4").view(np.uint8)))
    axes = schema.TensorT()
    axes.name, axes.shape, axes.type = (
        f"{name}_axes".encode(),
        [len(order)],
        schema.TensorType.INT32,
    )
    axes.buffer = len(model.buffers) - 1
    made = copy.copy(graph.tensors[old])
    made.name, made.buffer = f"{name}_as_source".encode(), 0
    made.shape = [int(graph.tensors[old].shape[axis]) for axis in order]
    made.shapeSignature = None
    graph.tensors += [axes, made]
    new = len(graph.tensors) - 1
    code = file.operator_code(model, schema.BuiltinOperator.TRANSPOSE, 1)
    graph.operators.append(schema.OperatorT(code, [old, new - 1], [new]))
    graph.outputs = [new if int(index) == old else int(index) for index in graph.outputs]
    entry.tensorIndex = new
