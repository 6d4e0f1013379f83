"""Dense layers with float activations and 8-bit weights, so that every runtime answers alike.

litert-quantizer writes them as FULLY_CONNECTED with symmetric inputs, whose scales of single
channels TensorFlow Lite 2.16's kernels for Arm ignore: each output is off by its channel's scale,
without an error. With asymmetric inputs the same runtime takes the way that multiplies by it, and
XNNPACK, which always rounds inputs so, is as fast and answers as before.

No other operator has been seen to need it. Convolutions always round asymmetrically and have no
such setting, 4-bit weights have kernels of their own, and weights with one scale, as
:mod:`mobilebench.compress.quantizer.scheme` has them for embeddings and BATCH_MATMUL, have none
to be ignored.
"""

from __future__ import annotations

from mobilebench.tflite import file
from mobilebench.tflite.hybrid import is_per_channel

#: The first version of FULLY_CONNECTED that knows the setting; runtimes refuse versions that they
#: do not know, and TensorFlow Lite 2.16 those of 12 and above.
_ASYMMETRIC_VERSION = 9


def with_asymmetric_inputs(content: bytes) -> bytes:
    """The same model with asymmetric inputs at each Dense layer that needs them.

    Those are FULLY_CONNECTED with float32 activations and a constant int8 kernel of one scale an
    output channel, in any subgraph. A file that has none is given back as it is.
    """
    from ai_edge_litert import schema_py_generated as schema

    dense = schema.BuiltinOperator.FULLY_CONNECTED
    model = file.load(content)
    changed = False
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            if not is_per_channel(model, graph, operator):
                continue
            if operator.builtinOptions is None:
                operator.builtinOptions = schema.FullyConnectedOptionsT()
                operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
            operator.builtinOptions.asymmetricQuantizeInputs = True
            operator.opcodeIndex = file.operator_code(model, dense, _ASYMMETRIC_VERSION)
            changed = True
    return file.dump(model) if changed else content
