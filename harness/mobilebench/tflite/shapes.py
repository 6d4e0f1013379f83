"""The shapes of a .tflite's tensors once those of its inputs are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import kind_of, read_whole

#: Which operands' values an operator's output takes its shape from.
_SHAPE_OPERANDS = {
    "ARG_MAX": (1,),
    "ARG_MIN": (1,),
    "BATCH_TO_SPACE_ND": (1, 2),
    "BROADCAST_TO": (1,),
    "CONV_3D_TRANSPOSE": (0,),
    "EXPAND_DIMS": (1,),
    "FILL": (0,),
    "MEAN": (1,),
    "MIRROR_PAD": (1,),
    "MULTINOMIAL": (1,),
    "NON_MAX_SUPPRESSION_V4": (2,),
    "NON_MAX_SUPPRESSION_V5": (2,),
    "ONE_HOT": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "RANDOM_STANDARD_NORMAL": (0,),
    "RANDOM_UNIFORM": (0,),
    "RANGE": (0, 1, 2),
    "REDUCE_ALL": (1,),
    "REDUCE_ANY": (1,),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "REDUCE_PROD": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SCATTER_ND": (2,),
    "SLICE": (1, 2),
    "SPACE_TO_BATCH_ND": (1, 2),
    "SPARSE_TO_DENSE": (1,),
    "SPLIT": (0,),
    "SPLIT_V": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TILE": (1,),
    "TOPK_V2": (1,),
    "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,),
}
#: Operators whose outputs may have another shape for every sample, as far as can be seen here.
_ANY_SHAPE = ("CALL", "IF", "UNIQUE", "WHERE", "WHILE")
#: Operators that look at a tensor's shape and not at its values.
_OF_SHAPES = ("RANK", "SHAPE")
#: What runtimes say of operators that they do not have.
_LACKING = ("custom op", "Select TensorFlow op", "Didn't find op for builtin opcode")


def shapes_of_all(model: Any, described: str, where: str) -> dict[int, tuple[int, ...]]:
    """The shapes that follow from those of the inputs, by the tensor's number.

    Args:
        model: a ``ModelT`` with a fixed shape of each input.
        described: these shapes, for error messages.
        where: what error messages call the file.

    Returns:
        the shape of each tensor that every inference has alike; nothing where this machine's
        runtime lacks an operator, or cannot answer.

    Raises:
        BadInputError: the model cannot have such inputs.
    """
    interpreter = _interpreter(dump(model))
    try:
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        if any(lacking in reason for lacking in _LACKING):  # another runtime may have them
            return {}
        raise BadInputError(f"model {where} does not run on {described}: {reason}") from error
    try:
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()  # what is computed from shapes is known only now
    except (RuntimeError, ValueError, TypeError):
        return {}
    changing, count = _changing(model), len(model.subgraphs[0].tensors)
    return {
        int(detail["index"]): tuple(int(n) for n in detail["shape"])
        for detail in interpreter.get_tensor_details()
        if detail["index"] < count and detail["index"] not in changing
    }


def settled(content: bytes, where: str) -> bytes:
    """The file with the shapes that its inner tensors have in an inference, where those are open.

    Converters leave lengths open that follow from others, and write 1 for them. A file whose
    inputs are open, or that this machine cannot run, is given back as it is.
    """
    model = read_whole(content, where, load)
    graph = model.subgraphs[0]
    ends = {int(i) for i in graph.inputs}
    open_ = {index for index, tensor in enumerate(graph.tensors) if _is_open(tensor)}
    if not open_ or open_ & ends:
        return content
    try:
        found = shapes_of_all(model, "its own shapes", where)
    except BadInputError:
        return content
    for index in open_ & set(found):
        graph.tensors[index].shape = np.array(found[index], np.int32)
        graph.tensors[index].shapeSignature = None
    return dump(model)


def _is_open(tensor: Any) -> bool:
    """Whether a length other than the batch is open."""
    lengths = tensor.shapeSignature if tensor.shapeSignature is not None else ()
    return any(int(length) < 0 for length in lengths[1:])


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )


def _changing(model: Any) -> set[int]:
    """The tensors whose shapes may depend on the inputs' values."""
    graph = model.subgraphs[0]
    values, shapes = {int(i) for i in graph.inputs}, set[int]()
    for operator in graph.operators if graph.operators is not None else ():
        kind = kind_of(model, operator)
        taken = [int(i) for i in operator.inputs]
        given = {int(i) for i in operator.outputs}
        operands = [taken[i] for i in _SHAPE_OPERANDS.get(kind, ()) if i < len(taken)]
        is_custom = bool(model.operatorCodes[operator.opcodeIndex].customCode)
        if is_custom or kind in _ANY_SHAPE or not values.isdisjoint(operands):
            shapes |= given
        elif kind in _OF_SHAPES:
            values |= set() if shapes.isdisjoint(taken) else given
            continue
        elif not shapes.isdisjoint(taken):
            shapes |= given
        if not (values | shapes).isdisjoint(taken):
            values |= given
    return shapes
