"""How exactly a .tflite computes, read from the types of its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mobilebench.records.precision import Arithmetic, Precision
from mobilebench.tflite.graph import read_whole

#: -8 as 4 bits.
_LOWEST = 0b1000


def read(content: bytes, where: str) -> Precision:
    """The precision of a .tflite file.

    Args:
        content: the file.
        where: what error messages call it.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    return read_whole(content, where, _precision)


def needs_xnnpack(content: bytes, where: str) -> bool:
    """Whether LiteRT's plain kernels compute a file wrongly, and XNNPACK's do not.

    Those are files of which some weights have a scale for each block of a row, or of which a Dense
    layer with float activations has a 4-bit weight of -8.

    Args:
        content: the file.
        where: what error messages call it.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    return read_whole(content, where, _needs_xnnpack)


def _needs_xnnpack(content: bytes) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    return any(_has_blocks(graph) or _has_lowest(model, graph) for graph in graphs)


def _has_blocks(graph: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    blocks = getattr(schema.QuantizationDetails, "BlockwiseQuantization", None)
    found = (graph.Tensors(index).Quantization() for index in range(graph.TensorsLength()))
    return any(
        quantization is not None and quantization.DetailsType() == blocks for quantization in found
    )


def _has_lowest(model: Any, graph: Any) -> bool:
    """Whether a Dense layer with float activations has the lowest number of 4 bits as a weight."""
    from ai_edge_litert import schema_py_generated as schema

    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        code = model.OperatorCodes(operator.OpcodeIndex())
        dense = schema.BuiltinOperator.FULLY_CONNECTED
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) != dense:
            continue
        if operator.InputsLength() < 2 or min(operator.Inputs(0), operator.Inputs(1)) < 0:
            continue
        activations, kernel = (graph.Tensors(operator.Inputs(place)) for place in range(2))
        buffer = model.Buffers(kernel.Buffer())
        if (
            kernel.Type() == schema.TensorType.INT4
            and activations.Type() == schema.TensorType.FLOAT32
            and buffer.DataLength()
        ):
            pairs = buffer.DataAsNumpy()
            if ((pairs & 0x0F == _LOWEST) | (pairs >> 4 == _LOWEST)).any():
                return True
    return False


def _precision(content: bytes) -> Precision:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    kinds = [names.get(max(c.BuiltinCode(), c.DeprecatedBuiltinCode()), "") for c in codes]
    integers = {
        getattr(schema.TensorType, name)
        for name in ("INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16")
        if hasattr(schema.TensorType, name)
    }

    def is_quantized(graph: Any, index: int) -> bool:
        tensor = graph.Tensors(index)
        quantization = tensor.Quantization()
        if tensor.Type() not in integers or quantization is None:
            return False
        # Blockwise weights have their scales elsewhere.
        return bool(quantization.ScaleLength() > 0 or quantization.DetailsType() > 0)

    def is_constant(graph: Any, index: int) -> bool:
        buffer = model.Buffers(graph.Tensors(index).Buffer())
        return bool(buffer.DataLength() > 0 or buffer.Offset() > 1)

    def step(graph: Any, index: int) -> float:
        quantization = graph.Tensors(index).Quantization()
        return float(quantization.Scale(0)) if quantization.ScaleLength() == 1 else 0.0

    arithmetic: Arithmetic = "float32"
    steps: dict[int, float] = {}
    # The first one runs; others are bodies of loops, such as a recurrent layer's, and branches.
    graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
    every = ((g, g.Operators(number)) for g in graphs for number in range(g.OperatorsLength()))
    for graph, operator in every:
        kind = kinds[operator.OpcodeIndex()]
        quantized = [i for i in _indices(operator, "Inputs") if is_quantized(graph, i)]
        passing = [i for i in quantized if not is_constant(graph, i)]
        if kind == "DEQUANTIZE":
            if graph is graphs[0]:
                given = _indices(operator, "Outputs")
                steps |= {out: step(graph, i) for out in given for i in passing}
        elif kind != "QUANTIZE" and passing:
            arithmetic = "integer"
        elif kind != "QUANTIZE" and quantized and arithmetic == "float32":
            arithmetic = "hybrid"
    first = graphs[0]
    outputs = [first.Outputs(i) for i in range(first.OutputsLength())]
    return Precision(
        arithmetic,
        tuple(step(first, i) if is_quantized(first, i) else steps.get(i, 0.0) for i in outputs),
    )


def _indices(operator: Any, ends: str) -> Iterator[int]:
    """The tensors that an operator takes or gives; those left out are -1."""
    for place in range(getattr(operator, f"{ends}Length")()):
        index = int(getattr(operator, ends)(place))
        if index >= 0:
            yield index
