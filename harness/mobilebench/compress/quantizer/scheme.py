"""Quantization schemes, and litert-quantizer, which carries them out on a float32 .tflite.

No TensorFlow is needed, so a .tflite whose training code is lost can be quantized as well, and
the result is on a par with TensorFlow's own converter (MobileNetV2 int8: 3.03 ms against 3.04).
Inputs and outputs stay float32, so that every variant takes and gives the same numbers.

Which operator can have which scheme is litert-quantizer's table (0.11): 4-bit weights exist for
Dense, convolution and embedding only, blocks for 4-bit Dense and embedding only. What it cannot
quantize it leaves alone without a word, so :func:`count_weights` counts afterwards.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mobilebench.compress.quantizer.hybrid import with_asymmetric_inputs
from mobilebench.compress.quantizer.outputs import with_integer_uses
from mobilebench.compress.step import Algorithm
from mobilebench.errors import StepError
from mobilebench.tflite.file import dump, load, load_to_read
from mobilebench.tflite.graph import UNPACKING, Graph, Tensor, kind_of, parse, parse_called

#: Every operator of a model.
EVERYWHERE = ".*"

#: litert-quantizer's names of the operators that have weights.
_DENSE, _CONVOLUTION, _EMBEDDING = "FULLY_CONNECTED", "CONV_2D", "EMBEDDING_LOOKUP"
_DEPTHWISE, _TRANSPOSED = "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE"
_MATRICES = "BATCH_MATMUL"
_BLOCKWISE = (_DENSE, _EMBEDDING)
#: Whose 8-bit weights have one scale: TensorFlow Lite 2.16 reads one, and answers with zeros where
#: a file has one a row or a channel.
_ONE_SCALE = (_EMBEDDING, _MATRICES)
#: The layers whose weights ``cluster`` shares, and the most values it leaves them.
_CLUSTERED = (_DENSE, _CONVOLUTION, "TRANSPOSE_CONV")
_MOST_SHARED = 256
#: What stays float32 unless integers are wanted throughout.
_LEFT_FLOAT = ("INPUT", "OUTPUT", "SOFTMAX")
#: Which operators an algorithm knows; the others get min_max.
_KNOWN_TO: dict[str, tuple[str, ...]] = {
    "min_max": (),
    "octav": (_DENSE, _CONVOLUTION, _EMBEDDING, _DEPTHWISE, _TRANSPOSED),
    "mse": (_DENSE, _CONVOLUTION, _EMBEDDING, _DEPTHWISE, _TRANSPOSED),
    "gptq": (_DENSE,),
}


@dataclass(frozen=True)
class Scheme:
    """How a model's numbers are stored and computed with.

    Attributes:
        activations: ``float`` (weights are unpacked, then float32), ``dynamic`` (quantized on
            the fly), ``int8`` or ``int16`` (quantized beforehand, by calibration).
        weight_bits: of Dense, convolution and embedding: 4 or 8. Other weights have 8.
        convolution_bits: of convolutions, at least ``weight_bits``.
        block: for ``dynamic`` 4-bit Dense and embedding: one scale for that many weights in a
            row, where rows divide by it; None for one scale an output channel.
        algorithm: how scales are chosen: ``min_max`` (nothing is clipped), ``octav`` (Sakr et
            al. 2022, clips where the squared error is least), ``mse`` (a fixed multiple of the
            standard deviation), ``gptq`` (Frantar et al. 2023, Dense only).
        sharing: the 8-bit weights of a layer have one scale, instead of one an output channel,
            so that what shares a value in float32 shares one afterwards.
        keep_float: layers whose name contains one of these stay float32.
        slow: the names of operators that stay float32 because they are slower on integers.
        integers_throughout: inputs, outputs and a softmax are integers, too.
    """

    activations: Literal["float", "dynamic", "int8", "int16"]
    weight_bits: int = 8
    convolution_bits: int = 8
    block: int | None = None
    algorithm: Algorithm = "min_max"
    sharing: bool = False
    keep_float: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    integers_throughout: bool = False

    @property
    def is_static(self) -> bool:
        """Whether activations have ranges of their own."""
        return self.activations.startswith("int")

    @property
    def needs_samples(self) -> bool:
        """Whether it has to see the model at work first."""
        return self.is_static or self.algorithm == "gptq"

    def keeps_float(self, layer: Layer) -> bool:
        """Whether a layer is to stay float32, by its name or for speed."""
        return layer.name in self.slow or any(part in layer.name for part in self.keep_float)

    def fitting(self, layer: Layer) -> Scheme | None:
        """What a layer gets; None for float32.

        Blocks only where its rows divide by them. One scale where its weights share their values:
        scales of their own for the channels would tear them apart, and the download would grow.
        """
        if self.keeps_float(layer):
            return None
        whole = self.block and layer.shape and layer.shape[-1] % self.block == 0
        block = self.block if whole else None
        return dataclasses.replace(self, block=block, sharing=layer.sharing)

    def wider(self) -> Scheme | None:
        """What a layer gets that is too fragile for this one; None for float32."""
        if min(self.weight_bits, self.convolution_bits) == 8:
            return None
        return dataclasses.replace(self, weight_bits=8, convolution_bits=8, block=None)


def open_job(content: bytes) -> Any:
    """A ``Quantizer`` for a float32 .tflite."""
    from litert_quantizer import quantizer

    return quantizer.Quantizer(content)


def short(name: str) -> str:
    """A layer's name without what was fused into it."""
    return name.strip(";").split(";")[0]


def exactly(name: str) -> str:
    """What matches this layer's name alone."""
    return f"^{re.escape(name)}$"


def _require_names(scheme: Scheme, layers: Sequence[Layer]) -> None:
    weighty = [layer for layer in layers if layer.stored]
    those = f"those with weights are {', '.join(repr(short(layer.name)) for layer in weighty)}"
    for part in scheme.keep_float:
        if not any(part in layer.name for layer in layers):
            raise StepError(f"keep_float={part!r} is in no layer's name; {those}")
    if scheme.keep_float and weighty and all(map(scheme.keeps_float, weighty)):
        raise StepError(
            f"keep_float={','.join(scheme.keep_float)!r} is in every layer's name, so none would "
            f"be quantized; {those}"
        )


def configure_all(
    job: Any, scheme: Scheme, layers: Sequence[Layer], looped: Mapping[str, bool] = {}
) -> None:
    """Configures litert-quantizer for the whole model.

    Args:
        job: of :func:`open_job`.
        scheme: of every layer.
        layers: of the graph that runs.
        looped: of :func:`looped_of`. No ranges can be observed there, so weights are quantized as
            in a ``dynamic`` scheme, and all else stays float32.

    Raises:
        StepError: no layer can have the blocks that are asked for, or the names of what is to stay
            float32 fit no layer, or all of them.
    """
    _require_names(scheme, layers)
    if scheme.block:
        _require_blocks(scheme.block, layers)
    alike = dataclasses.replace(scheme, block=None)
    configure(job, alike)
    for layer in layers:
        own = scheme.fitting(layer)
        if own != alike:
            configure(job, own, exactly(layer.name))
    if scheme.is_static:
        inside = dataclasses.replace(scheme, activations="dynamic", block=None)
        for name, weighty in looped.items():
            configure(job, inside if weighty else None, exactly(name))


def _require_blocks(block: int, layers: Sequence[Layer]) -> None:
    rows = [x for x in layers if x.kind in _BLOCKWISE and x.stored is not None]
    if not any(layer.shape[-1] % block == 0 for layer in rows):
        lengths = sorted({layer.shape[-1] for layer in rows})
        has = f"those of the model have {', '.join(map(str, lengths))}" if rows else "it has none"
        raise StepError(
            f"block={block} is for Dense and embedding layers with rows of a multiple of "
            f"{block} weights, and {has}"
        )


def configure(job: Any, scheme: Scheme | None, where: str = EVERYWHERE) -> None:
    """Configures litert-quantizer for the operators whose name matches ``where``.

    A later call overrides an earlier one. None stands for float32. A softmax stays float: in steps
    of 1/256 a thousand near-equal classes all become 0, and XNNPACK has no int8 softmax, so nothing
    is lost (MobileNetV2: 3.1 ms either way).
    """
    from litert_quantizer import qtyping, quantizer

    operation = qtyping.TFLOperationName
    keep = quantizer.AlgorithmName.NO_QUANTIZE
    if scheme is None:
        job.update_quantization_recipe(where, operation.ALL_SUPPORTED, algorithm_key=keep)
        return
    _add(job, scheme, where, operation.ALL_SUPPORTED, 8)
    for name, bits in (
        (_DENSE, scheme.weight_bits),
        (_EMBEDDING, scheme.weight_bits),
        (_MATRICES, 8),
        (_CONVOLUTION, scheme.convolution_bits),
        (_DEPTHWISE, 8),
        (_TRANSPOSED, 8),
    ):
        known = name in _KNOWN_TO[scheme.algorithm]
        if name == _EMBEDDING and scheme.activations != "dynamic":
            # It computes nothing: this unpacks the rows it finds, and not the table at load.
            whole = dataclasses.replace(scheme, activations="dynamic")
            _add(job, whole, where, operation(name), bits)
        elif name == _DEPTHWISE and scheme.activations == "dynamic":
            # Quantizing theirs on the fly takes them off the fast path, which made MobileNetV2
            # nearly twice as slow.
            float_scheme = dataclasses.replace(scheme, activations="float")
            _add(job, float_scheme, where, operation(name), 8, known=known)
        elif known or bits != 8 or (name in _ONE_SCALE and scheme.activations == "dynamic"):
            _add(job, scheme, where, operation(name), bits, known=known)
    for kept_float in _LEFT_FLOAT if not scheme.integers_throughout else ():
        job.update_quantization_recipe(where, operation(kept_float), algorithm_key=keep)


def _add(
    job: Any, scheme: Scheme, where: str, operation: Any, bits: int, *, known: bool = False
) -> None:
    from litert_quantizer import qtyping, quantizer

    names = quantizer.AlgorithmName
    algorithm = names.MIN_MAX_UNIFORM_QUANT
    if known:
        algorithm = {"octav": names.OCTAV, "mse": names.MSE, "gptq": names.GPTQ}[scheme.algorithm]
    granularity = qtyping.QuantGranularity.CHANNELWISE
    alone = scheme.activations == "dynamic" and operation.value in _ONE_SCALE
    if bits == 8 and (scheme.sharing or alone):
        granularity = qtyping.QuantGranularity.TENSORWISE
    if scheme.block and bits == 4 and operation.value in _BLOCKWISE:
        granularity = qtyping.QuantGranularity(f"BLOCKWISE_{scheme.block}")
    if scheme.activations == "float":
        job.add_weight_only_config(where, operation, bits, granularity, algorithm)
    elif scheme.activations == "dynamic":
        job.add_dynamic_config(where, operation, bits, granularity, algorithm)
    else:
        width = int(scheme.activations.removeprefix("int"))
        job.add_static_config(where, operation, width, bits, granularity, algorithm)


def run(job: Any, statistics: Any) -> bytes:
    """The quantized file, in a form that every runtime computes alike.

    Args:
        job: configured.
        statistics: what calibration found, or None.

    Raises:
        StepError: litert-quantizer delivers nothing.
    """
    with quiet():
        result = job.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
    if not result.quantized_model:
        raise StepError("litert-quantizer returned no model")
    return with_asymmetric_inputs(with_integer_uses(bytes(result.quantized_model)))


@dataclass(frozen=True)
class Layer:
    """An operator: its name (that of its outputs), its kind, and how its weights are stored.

    ``stored`` is the type of its constant kernel (``FLOAT32``, ``INT8``, …) and ``shape`` that
    kernel's; None and empty if it has none. ``sharing``: its weights take few values, as
    ``cluster`` leaves them.
    """

    name: str
    kind: str
    stored: str | None
    shape: tuple[int, ...] = ()
    sharing: bool = False


#: Operators with a kernel, and which input it is.
_KERNEL_INPUT = {
    "FULLY_CONNECTED": 1,
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "TRANSPOSE_CONV": 1,
    "BATCH_MATMUL": 1,
    "EMBEDDING_LOOKUP": 1,
    "GATHER": 0,
}


def layers_of(content: bytes) -> list[Layer]:
    """The operators of a .tflite that runs, in order."""
    return _layers(parse(content, "the model"))


def _all_layers(content: bytes) -> list[Layer]:
    """Those in the bodies of loops and branches, too."""
    called = parse_called(content, "the model")
    return layers_of(content) + [layer for graph in called for layer in _layers(graph)]


def _layers(graph: Graph) -> list[Layer]:
    operators = graph.operators
    unpacked = {o.outputs[0].index: o.inputs[0] for o in operators if o.kind in UNPACKING}
    found = []
    for operator in operators:
        stored: str | None = None
        shape: tuple[int, ...] = ()
        sharing = False
        if operator.kind in _KERNEL_INPUT:
            kernel = operator.inputs[_KERNEL_INPUT[operator.kind]]
            while kernel is not None and kernel.index in unpacked:
                kernel = unpacked[kernel.index]
            if kernel is not None and kernel.content is not None:
                stored, shape = kernel.type, kernel.shape
                sharing = operator.kind in _CLUSTERED and _shares(kernel)
        # litert-quantizer matches regular expressions with this.
        name = "".join(f"{tensor.name};" for tensor in operator.outputs if tensor.name)
        found.append(Layer(name, operator.kind, stored, shape, sharing))
    return found


def looped_of(content: bytes) -> dict[str, bool]:
    """The operators in the graphs that the first one calls, as for the loop of an LSTM.

    Returns:
        by name: whether it has a kernel.
    """
    model = load_to_read(content)
    first, *called = model.subgraphs
    own = {_names(first, operator) for operator in first.operators or ()}
    return {
        name: _has_kernel(model, graph, operator)
        for graph in called
        for operator in (graph.operators if graph.operators is not None else ())
        if (name := _names(graph, operator)) and name not in own
    }


def _has_kernel(model: Any, graph: Any, operator: Any) -> bool:
    kind = kind_of(model, operator)
    if kind not in _KERNEL_INPUT or kind == "GATHER":
        return False
    kernel = graph.tensors[int(operator.inputs[_KERNEL_INPUT[kind]])]
    return model.buffers[kernel.buffer].data is not None


def _names(graph: Any, operator: Any) -> str:
    """What litert-quantizer matches regular expressions with."""
    names = [graph.tensors[int(index)].name or b"" for index in operator.outputs]
    texts = (n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names)
    return "".join(f"{text};" for text in texts if text)


def _shares(kernel: Tensor) -> bool:
    """Whether float32 weights take so few values that an 8-bit scale can represent each."""
    values = kernel.values() if kernel.type == "FLOAT32" else None
    if values is None:
        return False
    values = values[values != 0]
    # A look at the first ones spares sorting the millions of weights of a layer like any other.
    if np.unique(values[: 4 * _MOST_SHARED]).size > _MOST_SHARED:
        return False
    different = np.unique(values).size
    return bool(different <= min(_MOST_SHARED, values.size // 2))


def with_signature(content: bytes) -> bytes:
    """The same model with a signature, which calibration goes by; old converters wrote none."""
    from ai_edge_litert import schema_py_generated as schema

    model = load(content)
    if model.signatureDefs:
        return content
    graph = model.subgraphs[0]

    def named(prefix: str, indices: Any) -> list[Any]:
        found = []
        for number, index in enumerate(indices):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = f"{prefix}_{number}", int(index)
            found.append(entry)
        return found

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs = named("input", graph.inputs)
    signature.outputs = named("output", graph.outputs)
    model.signatureDefs = [signature]
    return dump(model)


def require_float(content: bytes) -> None:
    """Refuses a file that was quantized before, or has nothing to quantize.

    Raises:
        StepError: which types it holds.
    """
    stored = [layer.stored for layer in _all_layers(content) if layer.stored is not None]
    if not stored:
        raise StepError("there is nothing to quantize: no layer of the model has constant weights")
    done = sorted({kind for kind in stored if kind != "FLOAT32"})
    if done:
        count = sum(kind != "FLOAT32" for kind in stored)
        raise StepError(
            f"the model is quantized already: {count} of its {len(stored)} layers with weights "
            f"hold {', '.join(done)}; start from the float32 file"
        )


def count_weights(content: bytes, asked: Collection[str] = ()) -> tuple[dict[str, int], list[str]]:
    """How many layers hold which type, and which have stayed float32 against expectation.

    Args:
        content: the quantized file.
        asked: names of layers that were meant to stay float32.

    Raises:
        StepError: all layers are what they were.
    """
    layers = [layer for layer in _all_layers(content) if layer.stored is not None]
    if all(layer.stored == "FLOAT32" for layer in layers):
        kinds = ", ".join(sorted({layer.kind for layer in layers}))
        raise StepError(f"nothing was quantized: litert-quantizer has no such scheme for {kinds}")
    counts: dict[str, int] = {}
    for layer in layers:
        counts[str(layer.stored)] = counts.get(str(layer.stored), 0) + 1
    # What a scheme leaves of loops is what it means to.
    left = [x.kind for x in layers_of(content) if x.stored == "FLOAT32" and x.name not in asked]
    return counts, left


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the library's prints and progress bars off the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        logging.disable(level)
