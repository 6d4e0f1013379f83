"""What the model answers: the raw outputs of every sample that the host sent, in a file."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from mobilebench_agent import runtime as runtimes
from mobilebench_agent import tensor_file, tensors
from mobilebench_agent.contract import Job, Metric, Result
from mobilebench_agent.runtime import AgentError
from mobilebench_agent.tensor_file import Reader, TensorFileError, Writer

_SECONDS_BETWEEN_EVENTS = 0.5


def measure(runtime: runtimes.Runtime, job: Job, phase: Callable[[str, float], None]) -> Result:
    """Runs every sample, one at a time, and writes every output to a tensor file.

    The job's ``inputs`` hold one tensor for each input of the model, named by its position, of
    shape (count, *one sample*). The file that is written holds one for each output in the same
    way: raw values of the output's own type. Variables of the model, such as the state of an LSTM,
    are reset before each sample, so that an answer does not depend on the samples before it.

    Raises:
        AgentError: ``inputs_bad``, ``outputs_unsupported``, ``output_nan``, ``storage_full``, or
            one of loading the model.
    """
    phase("load", 0)
    runtimes.verify(job.inputs, job.inputs_sha256, "inputs_bad", "inputs_bad")
    interpreter = runtimes.load(runtime, job)
    try:
        with Path(job.inputs).open("rb") as samples, _new_file(job.outputs_folder) as new:
            path, descriptor = new
            model = _Model(interpreter, Reader(samples))
            count = model.count
            next_event = time.monotonic()
            for number in range(count):
                row = model.answer(number)
                if number == 0:
                    rows = {name: (_stored(v.dtype), v.shape) for name, v in row.items()}
                    writer = Writer(descriptor, rows, count)
                for name, values in row.items():
                    writer.write(name, number, values)
                if time.monotonic() >= next_event:
                    phase("outputs", number / count)
                    next_event = time.monotonic() + _SECONDS_BETWEEN_EVENTS
            sha256, size = _digest(descriptor)
    except TensorFileError as error:
        raise AgentError("inputs_bad", f"the file of samples cannot be used: {error}") from error
    return Result(
        job.trial,
        job.kind,
        metrics=(Metric("answered_samples", "1", "count", count, 1, n=1),),
        outputs=path,
        outputs_sha256=sha256,
        outputs_bytes=size,
        warnings=model.warnings(),
    )


@dataclass(frozen=True)
class _Input:
    """One input: its place, its detail, the shape it is fed in, and the name of its samples."""

    name: str
    detail: Dict[str, Any]
    shape: Tuple[int, ...]


class _Model:
    """A model that answers one sample of a file at a time."""

    def __init__(self, interpreter: Any, samples: Reader) -> None:
        self._interpreter = interpreter
        self._samples = samples
        self._inputs, self.count = _matched(interpreter.get_input_details(), samples)
        self._clipped = [0] * len(self._inputs)
        self._shapes: List[Tuple[int, ...]] = []
        self._resize()
        self._outputs = _outputs(interpreter)

    def answer(self, number: int) -> Dict[str, Any]:
        """The outputs of one sample, without their batch dimension, by position."""
        self._interpreter.reset_all_variables()
        for place, taken in enumerate(self._inputs):
            row = self._samples.row(taken.name, number)
            values, clipped = tensors.to_input(row.reshape(taken.shape), taken.detail)
            self._clipped[place] += clipped
            self._interpreter.set_tensor(taken.detail["index"], values)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise AgentError(
                "inputs_bad", f"the model fails on sample {number}: {_one_line(error)}"
            ) from error
        found = [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]
        self._check(found, number)
        return {
            str(position): values[0] if values.shape[:1] == (1,) else values
            for position, values in enumerate(found)
        }

    def warnings(self) -> Tuple[str, ...]:
        """A sentence for each input of which many values were clipped."""
        warnings: Tuple[str, ...] = ()
        for place, taken in enumerate(self._inputs):
            size = int(np.prod(self._samples.entries[taken.name].shape, dtype=np.int64))
            warnings += tensors.clipping_warnings(self._clipped[place], size, taken.detail)
        return warnings

    def _resize(self) -> None:
        """Makes it a batch of one."""
        others = [i for i in self._inputs if i.shape != _shape(i.detail)]
        if not others:
            return
        try:
            for taken in others:
                self._interpreter.resize_tensor_input(taken.detail["index"], taken.shape)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise AgentError(
                "inputs_bad",
                f"the model does not take one sample at a time: its input "
                f"{others[0].detail['name']!r} has the fixed shape "
                f"{_text(_shape(others[0].detail))} ({_one_line(error)})",
            ) from error

    def _check(self, found: List[Any], number: int) -> None:
        self._shapes = self._shapes or [values.shape for values in found]
        for position, values in enumerate(found):
            detail, shape = self._outputs[position], self._shapes[position]
            if values.shape != shape:
                raise AgentError(
                    "outputs_unsupported",
                    f"output {detail['name']!r} has shape {_text(shape)} for sample 0 and "
                    f"{_text(values.shape)} for sample {number}",
                )
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise AgentError(
                    "output_nan",
                    f"output {detail['name']!r} of the model holds NaN or infinity for sample "
                    f"{number}",
                )


def _matched(details: List[Dict[str, Any]], samples: Reader) -> Tuple[List[_Input], int]:
    """The model's inputs with their samples, and how many samples there are."""
    names = [str(position) for position in range(len(details))]
    if sorted(samples.entries) != sorted(names):
        raise AgentError(
            "inputs_bad",
            f"the model has {len(names)} inputs, and the samples are for "
            f"{', '.join(sorted(samples.entries)) or 'none'} (counted from 0)",
        )
    entries = [samples.entries[name] for name in names]
    counts = {entry.shape[0] if entry.shape else 0 for entry in entries}
    if len(counts) != 1 or 0 in counts:
        raise AgentError("inputs_bad", "each input needs the same number of samples, at least one")
    inputs = [
        _Input(names[position], detail, _fed(detail, entries[position].shape[1:]))
        for position, detail in enumerate(details)
    ]
    return inputs, counts.pop()


def _fed(detail: Dict[str, Any], sample: Tuple[int, ...]) -> Tuple[int, ...]:
    """The shape that one sample is fed in: a batch of one, or as it is without a batch."""
    shape = _shape(detail)
    if np.dtype(detail["dtype"]).kind not in "fiub":
        raise AgentError(
            "inputs_bad",
            f"no samples can be given to input {detail['name']!r} of type "
            f"{np.dtype(detail['dtype']).name}",
        )
    if shape and sample == shape[1:]:
        return (1, *sample)
    if sample == shape:
        return shape
    raise AgentError(
        "inputs_bad",
        f"samples of input {detail['name']!r} have shape {_text(sample)}, and the model takes "
        f"{_text(shape[1:])}",
    )


def _outputs(interpreter: Any) -> List[Dict[str, Any]]:
    try:
        details = list(interpreter.get_output_details())
    except ValueError as error:
        raise AgentError(
            "outputs_unsupported", f"this runtime cannot give the outputs back: {error}"
        ) from error
    for detail in details:
        if _stored(np.dtype(detail["dtype"])) is None:
            raise AgentError(
                "outputs_unsupported",
                f"output {detail['name']!r} has type {np.dtype(detail['dtype']).name}, which "
                "cannot be given back",
            )
    return details


def _stored(dtype: Any) -> Any:
    """The type in which values are stored, or None if there is none for them."""
    little = dtype.newbyteorder("<")
    return next((known for known in tensor_file.TYPES.values() if known == little), None)


@contextmanager
def _new_file(folder: str) -> Iterator[Tuple[str, int]]:
    """A new file and its descriptor; it is removed if it does not become whole."""
    try:
        descriptor, path = tempfile.mkstemp(".safetensors", "outputs-", folder or None)
    except OSError as error:
        raise _unwritable(error) from error
    try:
        yield path, descriptor
    except BaseException as error:
        with suppress(OSError):
            os.unlink(path)
        if isinstance(error, OSError):
            raise _unwritable(error) from error
        raise
    finally:
        os.close(descriptor)


def _unwritable(error: OSError) -> AgentError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    code = "storage_full" if full else "internal"
    return AgentError(code, f"the outputs cannot be stored on the device: {error.strerror}")


def _digest(descriptor: int) -> Tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while True:
        block = os.pread(descriptor, 1 << 20, size)
        if not block:
            return digest.hexdigest(), size
        digest.update(block)
        size += len(block)


def _shape(detail: Dict[str, Any]) -> Tuple[int, ...]:
    return tuple(int(n) for n in detail["shape"])


def _text(shape: Tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
