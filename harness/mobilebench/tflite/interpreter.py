"""A .tflite file, run on this machine to see whether it is sound."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from mobilebench_agent import delegation, indices, tensors
from mobilebench_agent.runtime import AgentError

from mobilebench.errors import StepError, UnsupportedModelError
from mobilebench.models.array import Array, Sample
from mobilebench.records.interface import Quantization
from mobilebench.tflite.file import load
from mobilebench.tflite.graph import kind_of, parse_called
from mobilebench.tflite.noise import draw, real_range

_THREADS = 2
#: The operators with a kernel or table that pruning may have thinned out, and which input it is.
_KERNEL_OPERATORS = {
    "FULLY_CONNECTED": 1,
    "CONV_2D": 1,
    "CONV_3D": 1,
    "TRANSPOSE_CONV": 1,
    "EMBEDDING_LOOKUP": 1,
    "GATHER": 0,
}


@dataclass(frozen=True)
class Tensor:
    """An input or output: its shape with the batch, and how its integers are scaled, if so.

    ``name`` is what the file's only signature calls it, else ``input_0``, ``output_0``, … in the
    file's order.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    scale: float
    zero_point: int

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape without a batch of one."""
        return self.shape[1:] if len(self.shape) > 1 and self.shape[0] == 1 else self.shape

    @property
    def real_range(self) -> tuple[float, float] | None:
        """The real numbers that its integers stand for, or None where they stand for none."""
        if not self.scale:
            return None
        return real_range(self.dtype, Quantization(self.scale, self.zero_point))


class Runner:
    """An interpreter with the model loaded.

    A batch is resized to 1 where the model allows it, as it is on the device.

    Args:
        content: the file.
        delegate: whether the runtime's default delegate (XNNPACK) may take nodes.

    Raises:
        StepError: the file is no model, or one that the runtime cannot run.
    """

    def __init__(self, content: bytes, *, delegate: bool = True) -> None:
        try:
            self._interpreter = _load(content, delegate)
        except ValueError as error:
            raise StepError(f"the LiteRT runtime cannot read it: {_one_line(error)}") from error
        except RuntimeError as error:
            reason = foreign_operators(content) or _one_line(error)
            raise UnsupportedModelError(
                f"the LiteRT runtime refuses the model: {reason}"
            ) from error
        self.signatures: dict[str, list[str]] = {
            name: list(signature["inputs"])
            for name, signature in self._interpreter.get_signature_list().items()
        }
        self.inputs = self._named("input", self._interpreter.get_input_details())
        outputs = self._named("output", self._interpreter.get_output_details())
        # Converters shuffle outputs; by name they are in the same place in every file of a model.
        self.outputs = tuple(sorted(outputs, key=lambda tensor: tensor.name))
        #: Outputs that have no place in a row: another shape for each sample, or no real numbers.
        self.left_out: tuple[str, ...] = tuple(t.name for t in self.outputs if not _is_real(t))
        self.outputs = tuple(t for t in self.outputs if _is_real(t))

    def _named(self, kind: str, details: list[dict[str, Any]]) -> tuple[Tensor, ...]:
        names: dict[int, str] = {}
        if len(self.signatures) == 1:
            signature = self._interpreter.get_signature_runner(next(iter(self.signatures)))
            named = getattr(signature, f"get_{kind}_details")()
            names = {int(detail["index"]): name for name, detail in named.items()}
        return tuple(
            _tensor(detail, names.get(int(detail["index"]), f"{kind}_{number}"))
            for number, detail in enumerate(details)
        )

    @property
    def batch(self) -> int:
        """How many samples it takes at once."""
        shape = self.inputs[0].shape if self.inputs else ()
        return shape[0] if len(shape) > 1 else 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The first input's shape without the batch."""
        return self.inputs[0].sample_shape

    @property
    def parts(self) -> dict[str, slice]:
        """Where in a row of ``run`` each output is."""
        found, start = {}, 0
        for tensor in self.outputs:
            end = start + int(np.prod(tensor.shape))
            found[tensor.name], start = slice(start, end), end
        return found

    @property
    def forms(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """The shape of one sample of each output, and its type: float32 where it is real."""
        found = {}
        for tensor in self.outputs:
            kind = np.dtype(tensor.dtype)
            whole = kind.kind in "biu" and not tensor.scale
            found[tensor.name] = tensor.sample_shape, kind if whole else np.dtype(np.float32)
        return found

    @property
    def classes(self) -> int | None:
        """How many classes the model distinguishes, or None if it is no classifier."""
        if len(self.outputs) != 1:
            return None
        shape = [n for n in self.outputs[0].shape if n != 1]
        return shape[0] if len(shape) == 1 else None

    def run(self, samples: Sequence[Sample]) -> Array:
        """All outputs for each sample, by name: (samples, output values), float32.

        Outputs that turn out to have another shape for each sample are ``left_out`` from then on;
        those that have one, but not the file's, get it.
        """
        found: list[list[Array]] = []
        try:
            for sample in samples:
                for tensor, value in zip(self.inputs, self.feed(sample), strict=True):
                    self._interpreter.set_tensor(tensor.index, value)
                self._interpreter.invoke()
                found.append([self._output(t) for t in self.outputs])
        except (ValueError, RuntimeError) as error:
            raise StepError(f"the model does not run: {_one_line(error)}") from error
        if not found:
            return np.zeros((0, sum(int(np.prod(t.shape)) for t in self.outputs)), np.float32)
        shapes = [{values.shape for values in column} for column in zip(*found, strict=True)]
        fixed = [len(each) == 1 for each in shapes]
        self.left_out += tuple(
            t.name for t, kept in zip(self.outputs, fixed, strict=True) if not kept
        )
        self.outputs = tuple(
            replace(tensor, shape=next(iter(each)))
            for tensor, each, kept in zip(self.outputs, shapes, fixed, strict=True)
            if kept
        )
        rows = [
            [values.ravel() for values, kept in zip(row, fixed, strict=True) if kept]
            for row in found
        ]
        if not self.outputs:
            return np.zeros((len(rows), 0), np.float32)
        return np.stack([np.concatenate(row) for row in rows])

    def time_again(self) -> int:
        """How long one more inference takes, on the inputs of the last one (ns)."""
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        return time.perf_counter_ns() - start

    def feed(self, sample: Sample) -> list[Array]:
        """One value an input, in the input's type.

        Args:
            sample: the values of the only input, in real numbers, or of each input by name.

        Raises:
            StepError: an input has no value.
        """
        values = sample if isinstance(sample, Mapping) else {self.inputs[0].name: sample}
        missing = [tensor.name for tensor in self.inputs if tensor.name not in values]
        if missing:
            raise StepError(f"the samples have no values for input {missing[0]!r}")
        return [_encode(values[tensor.name], tensor) for tensor in self.inputs]

    @property
    def table_rows(self) -> dict[int, int]:
        """By the position of each input that looks up rows of a table: how many it has."""
        rows = indices.table_rows(self._interpreter)
        found = ((i, rows.get(tensor.index)) for i, tensor in enumerate(self.inputs))
        return {position: count for position, count in found if count is not None}

    def noise(self, count: int, seed: int) -> list[Sample]:
        """Seeded samples; see :func:`mobilebench.tflite.noise.draw`."""
        generator = np.random.default_rng(seed)
        rows = self.table_rows
        named = {
            t.name: draw(
                generator, (count, *t.sample_shape), np.dtype(t.dtype), t.real_range, rows.get(i)
            )
            for i, t in enumerate(self.inputs)
        }
        if len(named) == 1:
            (only,) = named.values()
            return list(only)
        return [{name: values[i] for name, values in named.items()} for i in range(count)]

    def signature(self) -> tuple[str, list[str]]:
        """The only signature, and what it calls the inputs, in the order of ``inputs``.

        Raises:
            StepError: there are several, or none.
        """
        if len(self.signatures) != 1:
            raise StepError(
                f"calibration takes models with one signature, and this one has "
                f"{len(self.signatures)}: {', '.join(self.signatures)}"
            )
        (key,) = self.signatures
        return key, [tensor.name for tensor in self.inputs]

    def delegation(self) -> dict[str, Any]:
        """Which nodes the delegate took; see ``mobilebench_agent.delegation.describe``."""
        return delegation.describe(self._operators())

    def zeros(self) -> tuple[int, int]:
        """How many zeros, of how many values, the kernels and embeddings have."""
        zeros = values = 0
        for kernel in self._kernels():
            zeros += int((kernel == 0).sum())
            values += kernel.size
        return zeros, values

    def _operators(self) -> list[dict[str, Any]]:
        operators: list[dict[str, Any]] = self._interpreter._get_ops_details()
        return operators

    def _kernels(self) -> Iterator[Array]:
        """The constant kernels as they are stored, whether or not they are unpacked first."""
        operators = self._operators()
        unpacked = {
            int(o["outputs"][0]): int(o["inputs"][0])
            for o in operators
            if o["op_name"] in ("DEQUANTIZE", "DENSIFY")
        }
        made = {int(t) for o in operators for t in o["outputs"]}
        seen: set[int] = set()
        for operator in operators:
            if operator["op_name"] not in _KERNEL_OPERATORS:
                continue
            index = int(operator["inputs"][_KERNEL_OPERATORS[operator["op_name"]]])
            while index in unpacked:
                index = unpacked[index]
            if index in seen or index in made:
                continue
            seen.add(index)
            try:
                kernel = np.asarray(self._interpreter.get_tensor(index))
            except ValueError:  # a sparse or packed tensor, which cannot be read
                continue
            if kernel.ndim > 1 and kernel.dtype not in (np.int32, np.int64):  # shapes and such
                yield kernel

    def _output(self, tensor: Tensor) -> Array:
        value = self._interpreter.get_tensor(tensor.index).astype(np.float32)
        if tensor.scale:
            value = (value - tensor.zero_point) * np.float32(tensor.scale)
        return np.asarray(value)


def zeros_of_loops(content: bytes) -> tuple[int, int]:
    """How many zeros, of how many values, the float32 kernels have that only loops use."""
    zeros = values = 0
    seen: set[int] = set()
    for graph in parse_called(content, "the converted model"):
        for operator in graph.operators:
            place = _KERNEL_OPERATORS.get(operator.kind)
            kernel = None if place is None else operator.inputs[place]
            if kernel is None or kernel.type != "FLOAT32" or len(kernel.shape) < 2:
                continue
            found = None if kernel.sparse or kernel.buffer in seen else kernel.values()
            if found is not None:
                seen.add(kernel.buffer)
                zeros, values = zeros + int((found == 0).sum()), values + found.size
    return zeros, values


def foreign_operators(content: bytes) -> str:
    """What of a file no runtime of LiteRT has by itself, and what to do; empty if it is nothing."""
    model = load(content)
    kinds = {
        kind_of(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].customCode
    } - {"TFLite_Detection_PostProcess"}
    flex = sorted(kind.removeprefix("Flex") for kind in kinds if kind.startswith("Flex"))
    own = sorted(kind for kind in kinds if not kind.startswith("Flex"))
    said = []
    if flex:
        said.append(
            f"it computes {', '.join(flex)} by TensorFlow itself (Select TF ops); convert it with "
            "supported_ops = [TFLITE_BUILTINS], or do that part outside the model"
        )
    if own:
        said.append(
            f"it has operators of its maker's own ({', '.join(own)}), which only that maker's "
            "library runs; give a file without them"
        )
    return "; ".join(said)


def _is_real(tensor: Tensor) -> bool:
    return np.dtype(tensor.dtype).kind in "biuf"


def _load(content: bytes, delegate: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    settings: dict[str, Any] = {"model_content": content, "num_threads": _THREADS}
    if not delegate:
        settings["experimental_op_resolver_type"] = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(**settings)
    inputs = interpreter.get_input_details()
    shape = [int(n) for n in inputs[0]["shape"]] if len(inputs) == 1 else []
    if len(shape) > 1 and shape[0] > 1:
        try:
            interpreter.resize_tensor_input(inputs[0]["index"], [1, *shape[1:]])
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError):  # the batch is fixed: run it as it is
            interpreter = Interpreter(**settings)
        else:
            return interpreter
    interpreter.allocate_tensors()
    return interpreter


def _tensor(details: dict[str, Any], name: str) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        index=int(details["index"]),
        name=name,
        shape=tuple(int(n) for n in details["shape"]),
        dtype=details["dtype"],
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _encode(value: Array, tensor: Tensor) -> Array:
    """As the device agent does it."""
    detail = {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "quantization": (tensor.scale, tensor.zero_point),
    }
    try:
        encoded: Array = tensors.to_input(value.reshape(tensor.shape), detail)[0]
    except AgentError as error:
        raise StepError(str(error)) from error
    return encoded


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
