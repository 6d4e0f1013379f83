"""A functional Keras model, call by call: all reading of graphs in this package goes through here.

Nested models are entered, so a visitor sees plain layers and operations only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mobilebench.errors import StepError

#: Evaluates one call: from the operation, the names of the models around it, its node
#: (which has the arguments) and a value for each input tensor; a value for each output tensor.
Visit = Callable[[Any, tuple[str, ...], Any, list[Any]], list[Any]]
#: Called for each nested model that is entered: the names of the models so far, it, its values.
Enter = Callable[[tuple[str, ...], Any, list[Any]], None]


def walk(
    model: Any,
    values: Sequence[Any],
    visit: Visit,
    *,
    enter: Enter = lambda _path, _model, _values: None,
    path: tuple[str, ...] = (),
) -> list[Any]:
    """Follows the graph from its inputs to its outputs, always in the same order.

    Args:
        model: functional or sequential.
        values: one for each input of the model.
        visit: called for each call of a layer or operation.
        enter: called for each nested model, and for this one.
        path: the names of the models around this one.

    Returns:
        one value for each output of the model.

    Raises:
        StepError: the model is no functional graph.
    """
    graph = _graph(model)
    if graph is None:
        raise StepError(
            f"model {model.name!r} is no functional Keras graph but a class of its own "
            f"({type(model).__name__}), so it cannot be seen which channels belong together; "
            "build it from layers with keras.Model(inputs, outputs)"
        )
    enter(path, model, list(values))
    found = {id(tensor): value for tensor, value in zip(graph.inputs, values, strict=True)}
    for node in _nodes(graph):
        inputs = [found[id(tensor)] for tensor in node.input_tensors]
        operation = node.operation
        inner = _graph(operation)
        if inner is not None and len(inner.inputs) == len(inputs):
            outputs = walk(operation, inputs, visit, enter=enter, path=(*path, str(operation.name)))
        else:
            outputs = visit(operation, path, node, inputs)
        found |= {id(t): value for t, value in zip(node.output_tensors, outputs, strict=True)}
    return [found[id(tensor)] for tensor in graph.outputs]


def call(operation: Any, node: Any, inputs: Sequence[Any]) -> list[Any]:
    """Runs one call of the graph on tensors, without training; one tensor for each output."""
    import keras

    tensors = {id(t): value for t, value in zip(node.input_tensors, inputs, strict=True)}
    args, kwargs = node.arguments.fill_in(tensors)
    if "training" in inspect.signature(operation.call).parameters:
        # As a model that is called without training does, whatever its layers were called with:
        # those that augment do so by default, and Keras notes that down in the graph.
        kwargs["training"] = False
    flat: list[Any] = keras.tree.flatten(operation(*args, **kwargs))
    return flat


def layers_by_path(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All layers that are no models themselves, with the names of the models around them."""
    for layer in model.layers:
        where = (*path, str(layer.name))
        if _graph(layer) is None:
            yield where, layer
        else:
            yield from layers_by_path(layer, where)


def _graph(model: Any) -> Any:
    """The object that has a model's nodes, or None if it has none or does not follow them."""
    import keras

    if not isinstance(model, keras.Model) or not type(model).__module__.startswith("keras."):
        return None
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if hasattr(model, "_nodes_by_depth") else None


def _nodes(graph: Any) -> Iterator[Any]:
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.operation and not node.is_input:
                yield node
