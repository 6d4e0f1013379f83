"""Layers that look texts and numbers up in a vocabulary: left to the app, which does that itself.

A .tflite has no operator for them. The network that is measured begins after them and takes what
they give, as token numbers; all other inputs stay.
"""

from __future__ import annotations

from typing import Any

from mobilebench.errors import BadInputError
from mobilebench.models.copies import copy_of

#: Classes of Keras that compute with tables or texts.
_LOOKUPS = ("TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing")


def without_lookups(model: Any, where: str) -> tuple[Any, tuple[str, ...]]:
    """The model from behind its lookups on, and what to say of it; the model itself without any.

    Raises:
        BadInputError: nothing would be left, or texts go elsewhere than into such a layer.
    """
    graph = getattr(model, "_functional", None) or model  # a Sequential has one inside
    nodes = [
        node
        for depth in sorted(graph._nodes_by_depth, reverse=True)
        for node in graph._nodes_by_depth[depth]
    ]
    needed = {id(tensor) for tensor in graph.outputs}
    lookups: list[Any] = []
    rest: list[Any] = []
    for node in reversed(nodes):
        if not any(id(tensor) in needed for tensor in node.output_tensors):
            continue  # it leads to a lookup alone
        if _looks_up(node.operation):
            lookups.insert(0, node)
        else:
            rest.insert(0, node)
            needed.update(id(tensor) for tensor in node.input_tensors)
    for tensor in (node.output_tensors[0] for node in rest if node.is_input):
        if tensor.dtype == "string":
            raise BadInputError(
                f"model {where} takes texts at input {tensor.name!r}, and no .tflite operator "
                "works on them; turn them into numbers before the model"
            )
    if not lookups:
        return model, ()
    found = [tensor for node in lookups for tensor in node.output_tensors]
    if any(tensor is output for tensor in found for output in graph.outputs):
        raise BadInputError(
            f"model {where} ends in a layer that looks texts or numbers up, which no .tflite "
            "operator does; give the network behind it"
        )
    order = _order(graph, nodes)
    by_input = sorted(nodes, key=lambda node: min(order[id(t)] for t in node.output_tensors))
    lookups = [node for node in by_input if node in lookups]
    names = [f"{type(node.operation).__name__} {node.operation.name!r}" for node in lookups]
    note = (
        f"it begins behind {_listed(names)}, which no .tflite operator computes: your app does "
        "that part, and samples are what it gives"
    )
    starts = [node for node in by_input if node in lookups or (node in rest and node.is_input)]
    return _behind(model, graph, starts, rest), (note,)


def _order(graph: Any, nodes: list[Any]) -> dict[int, int]:
    """For each tensor, the first of the model's inputs that it is computed from."""
    first = {id(tensor): place for place, tensor in enumerate(graph.inputs)}
    for node in nodes:
        place = min((first[id(tensor)] for tensor in node.input_tensors), default=0)
        for tensor in node.output_tensors:
            first.setdefault(id(tensor), place)
    return first


def _behind(model: Any, graph: Any, starts: list[Any], rest: list[Any]) -> Any:
    """The rest of the graph, with an input for each tensor of the nodes that it starts from."""
    import keras

    given: dict[int, Any] = {}
    for node in starts:
        for number, tensor in enumerate(node.output_tensors):
            several = len(node.output_tensors) > 1
            name = node.operation.name + (f"_{number}" if several else "")
            looked_up = not node.is_input and tensor.dtype == "int64"
            dtype = "int32" if looked_up else tensor.dtype
            given[id(tensor)] = keras.Input(tensor.shape[1:], dtype=dtype, name=name)
    inputs = list(given.values())
    for node in rest:
        if node.is_input:
            continue
        arguments, named = node.arguments.fill_in(given)
        made: list[Any] = keras.tree.flatten(node.operation(*arguments, **named))
        given.update((id(old), new) for old, new in zip(node.output_tensors, made, strict=True))
    outputs = [given[id(tensor)] for tensor in graph.outputs]
    ends = [end[0] if len(end) == 1 else end for end in (inputs, outputs)]
    return copy_of(keras.Model(*ends, name=model.name))  # whose layers are in one graph only


def _looks_up(layer: Any) -> bool:
    """Whether a layer is one, or has one inside."""
    inner: list[Any] = getattr(layer, "layers", None) or getattr(layer, "_layers", [])
    return type(layer).__name__ in _LOOKUPS or any(_looks_up(each) for each in inner)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
