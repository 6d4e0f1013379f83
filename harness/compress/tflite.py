"""A .tflite file, run on this machine to see whether it is sound."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_agent import delegation
from harness.compress.step import StepError, UnsupportedModelError
from harness.models.array import Array
from harness.models.datasets import noise

_THREADS = 2
#: The operators whose second input is a kernel that pruning may have thinned out.
_KERNEL_OPERATORS = ("FULLY_CONNECTED", "CONV_2D", "CONV_3D", "TRANSPOSE_CONV")


@dataclass(frozen=True)
class Tensor:
    """An input or output: its shape with the batch, and how its integers are scaled, if so.

    ``signature`` is the shape as the file has it, with -1 for open dimensions.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: npt.DTypeLike
    scale: float
    zero_point: int


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
            raise UnsupportedModelError(
                f"the LiteRT runtime refuses the model: {_one_line(error)}"
            ) from error
        self.inputs = tuple(_tensor(d) for d in self._interpreter.get_input_details())
        self.outputs = tuple(_tensor(d) for d in self._interpreter.get_output_details())
        self.signatures: dict[str, list[str]] = {
            name: list(signature["inputs"])
            for name, signature in self._interpreter.get_signature_list().items()
        }

    @property
    def batch(self) -> int:
        """How many samples it takes at once."""
        shape = self.inputs[0].shape
        return shape[0] if len(shape) > 1 else 1

    @property
    def has_open_dimensions(self) -> bool:
        """Whether the file leaves a dimension of an input open, other than the batch."""
        return any(-1 in tensor.signature[1:] for tensor in self.inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The first input's shape without the batch."""
        shape = self.inputs[0].shape
        return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape

    @property
    def classes(self) -> int | None:
        """How many classes the model tells apart, or None if it is no classifier."""
        if len(self.outputs) != 1:
            return None
        shape = [n for n in self.outputs[0].shape if n != 1]
        return shape[0] if len(shape) == 1 else None

    def run(self, samples: Sequence[Array]) -> Array:
        """All outputs for each sample: (samples, output values), float32.

        A sample is the values of the first input; further inputs are filled with seeded noise.
        """
        rows = []
        try:
            for number, sample in enumerate(samples):
                for tensor, value in zip(self.inputs, self.feed(sample, number), strict=True):
                    self._interpreter.set_tensor(tensor.index, value)
                self._interpreter.invoke()
                rows.append(np.concatenate([self._output(t) for t in self.outputs]))
        except (ValueError, RuntimeError) as error:
            raise StepError(f"the model does not run: {_one_line(error)}") from error
        return np.stack(rows)

    def time_again(self) -> int:
        """How long one more inference takes, on the inputs of the last one (ns)."""
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        return time.perf_counter_ns() - start

    def feed(self, sample: Array, number: int) -> list[Array]:
        """One value an input, in the input's type: the sample, and noise for further inputs.

        Args:
            sample: float32 in the shape of the first input.
            number: which sample it is: each meets noise of its own.
        """
        rest = [
            noise(tensor.shape, seed=number * len(self.inputs) + i)
            for i, tensor in enumerate(self.inputs[1:])
        ]
        return [_encode(v, t) for v, t in zip([sample, *rest], self.inputs, strict=True)]

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
        details = self._interpreter.get_signature_runner(key).get_input_details()
        names = {int(detail["index"]): name for name, detail in details.items()}
        return key, [names[tensor.index] for tensor in self.inputs]

    def delegation(self) -> dict[str, Any]:
        """Which nodes the delegate took; see :func:`device_agent.delegation.describe`."""
        return delegation.describe(self._operators())

    def zeros(self) -> tuple[int, int]:
        """How many zeros, of how many values, the kernels of Dense and convolution have."""
        zeros = values = 0
        for kernel in self._kernels():
            zeros += int((kernel == 0).sum())
            values += kernel.size
        return zeros, values

    def has_float32_weights(self) -> bool:
        """Whether all kernels are stored as float32."""
        stored = [kernel.dtype for kernel in self._kernels()]
        return bool(stored) and all(dtype == np.float32 for dtype in stored)

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
            index = int(operator["inputs"][1])
            while index in unpacked:
                index = unpacked[index]
            if index in seen or index in made:
                continue
            seen.add(index)
            try:
                yield np.asarray(self._interpreter.get_tensor(index))
            except ValueError:  # a sparse or packed tensor, which cannot be read
                continue

    def _output(self, tensor: Tensor) -> Array:
        value = self._interpreter.get_tensor(tensor.index).ravel().astype(np.float32)
        if tensor.scale:
            value = (value - tensor.zero_point) * np.float32(tensor.scale)
        return np.asarray(value)


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


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        index=int(details["index"]),
        name=str(details["name"]),
        shape=tuple(int(n) for n in details["shape"]),
        signature=tuple(int(n) for n in details["shape_signature"]),
        dtype=details["dtype"],
        scale=float(scale),
        zero_point=int(zero_point),
    )


def _encode(value: Array, tensor: Tensor) -> Array:
    value = value.reshape(tensor.shape)
    dtype = np.dtype(tensor.dtype)
    if not np.issubdtype(dtype, np.integer):
        return value.astype(dtype)
    if tensor.scale:
        value = np.rint(value / tensor.scale) + tensor.zero_point
    limits = np.iinfo(dtype)
    return np.clip(value, limits.min, limits.max).astype(dtype)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
