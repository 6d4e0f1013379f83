"""What a model is asked in an ``outputs`` trial, a batch at a time, and the raw answers to it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mobilebench_agent.contract import Result

from mobilebench.devices.base import TrialError
from mobilebench.errors import BadInputError, first_line
from mobilebench.files import disk_errors
from mobilebench.models.array import Array
from mobilebench.records.interface import Interface, TensorInfo

#: Inputs and outputs of the samples that are on a device, and in this process, at a time.
BATCH_BYTES = 64 << 20

#: What a file of tensors has besides them.
_HEADER_BYTES = 1 << 20
#: An output whose shape the file leaves open may take so much.
_OPEN_OUTPUT_BYTES = 1 << 30

_LABELS, _LABELS_OF = "labels", "labels/"


@dataclass(frozen=True)
class Samples:
    """A tensor file of samples: inputs by their position, and ``labels``, if there are any.

    Those of several outputs are ``labels/NAME`` each.

    Attributes:
        path: of the file.
        digest: what only the same samples have.
        count: how many.
        source: the evaluation data, or seeded noise.
        task: by which answers are scored; empty: it is found from labels and outputs.
        reason: why they cannot be scored, if that is known.
    """

    path: Path
    digest: str
    count: int
    source: Literal["data", "noise"]
    task: str = ""
    reason: str = ""

    @contextlib.contextmanager
    def opened(self) -> Iterator[OpenSamples]:
        """Opens the file for reading.

        Raises:
            BadInputError: it is damaged.
        """
        from safetensors import SafetensorError

        try:
            yield OpenSamples(self.path)
        except (SafetensorError, OSError) as error:
            raise BadInputError(f"{self.path} is damaged: {first_line(error)}") from error


class OpenSamples:
    """Samples that are read from their file a range at a time.

    The file is opened for each range: it is mapped into memory, and whatever was read of a mapped
    file counts as this process's until it is closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as file:
            every = list(file.keys())
            self._labels = [n for n in every if n == _LABELS or n.startswith(_LABELS_OF)]
            self._names = sorted((name for name in every if name not in self._labels), key=int)
            metadata = file.metadata() or {}
            self._texts = [name for name in self._labels if metadata.get(name) == "text"]

    def inputs(self, start: int, end: int) -> dict[str, Array]:
        """Those samples' inputs, by position."""
        return {name: self._rows(name, start, end) for name in self._names}

    def labels(self, start: int, end: int) -> Array | dict[str, Array] | None:
        """Those samples' labels, text or numbers; None: there are none.

        Of several outputs: those of each, by its name or its number.
        """
        found = {name: self._labels_of(name, start, end) for name in self._labels}
        if list(found) in ([], [_LABELS]):
            return found.get(_LABELS)
        return {name.removeprefix(_LABELS_OF): rows for name, rows in found.items()}

    def _labels_of(self, name: str, start: int, end: int) -> Array:
        rows = self._rows(name, start, end)
        if name not in self._texts:
            return rows
        return np.array([bytes(row).rstrip(b"\0").decode("utf-8", "replace") for row in rows])

    @property
    def label_bytes(self) -> int:
        """What one sample's label takes in the file."""
        return sum(map(self._row_bytes, self._labels))

    @property
    def input_bytes(self) -> int:
        """What one sample's inputs take."""
        return sum(map(self._row_bytes, self._names))

    def _rows(self, name: str, start: int, end: int) -> Array:
        with self._opened() as file:
            rows: Array = file.get_slice(name)[start:end]
        return rows

    def _opened(self) -> Any:
        from safetensors import safe_open

        return safe_open(self._path, framework="np")

    def _row_bytes(self, name: str) -> int:
        return int(self._rows(name, 0, 1).nbytes)


def batch_size(samples: Samples, opened: OpenSamples, interface: Interface) -> int:
    """How many samples make a batch: at least one, whatever it takes."""
    each = opened.input_bytes + sum(map(_output_bytes, interface.outputs))
    return max(1, min(samples.count, BATCH_BYTES // max(each, 1)))


def write_inputs(folder: Path, inputs: dict[str, Array]) -> tuple[Path, str]:
    """Writes the samples of a batch to a file of their own, without labels.

    Returns:
        the file and its hash, which also is its name.

    Raises:
        InvalidRunError: the disk is full or failing.
    """
    from safetensors.numpy import save

    content = save({name: np.ascontiguousarray(array) for name, array in inputs.items()})
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"{sha256}.safetensors"
    with disk_errors(path):
        path.write_bytes(content)
    return path, sha256


def ensure_bounded(result: Result, interface: Interface, count: int) -> None:
    """Sees that an outputs file is no longer than the answers to so many samples can be.

    Raises:
        TrialError: it is: nothing of it is fetched.
    """
    most = _HEADER_BYTES + count * sum(map(_most_bytes, interface.outputs))
    if result.outputs_bytes > most:
        raise TrialError(
            "protocol_violation",
            f"the device reports an outputs file of {result.outputs_bytes:,} bytes, and {count} "
            f"samples of this model give {most:,} at most",
        )


def read_outputs(path: Path, interface: Interface, count: int) -> list[Array]:
    """The answers to a batch, by the output's position: each (count, *shape of one sample*).

    What is quantized becomes float32, and so does float16.

    Raises:
        TrialError: the file is none, or not of this model and so many samples.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        raw = load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TrialError(
            "protocol_violation", f"the outputs file cannot be read: {first_line(error)}"
        ) from error
    names = [str(position) for position in range(len(interface.outputs))]
    if sorted(raw) != sorted(names):
        raise TrialError(
            "protocol_violation",
            f"the outputs file has {', '.join(sorted(raw)) or 'nothing'}, and the model has "
            f"{len(names)} outputs (counted from 0)",
        )
    return [
        _real(raw.pop(name), end, count) for name, end in zip(names, interface.outputs, strict=True)
    ]


def real_inputs(inputs: dict[str, Array], interface: Interface) -> list[Array]:
    """Samples as real numbers where an input's integers stand for such."""
    arrays = [inputs[name] for name in sorted(inputs, key=int)]
    if len(arrays) != len(interface.inputs):
        return arrays
    return [
        _dequantized(array, end) if array.dtype.kind in "iu" else array
        for array, end in zip(arrays, interface.inputs, strict=True)
    ]


def row_bytes(arrays: Sequence[Array]) -> int:
    """What one sample of those arrays takes."""
    return sum(array.nbytes // max(1, len(array)) for array in arrays)


def _real(array: Array, end: TensorInfo, count: int) -> Array:
    kind = _kind(end)
    if array.shape[:1] != (count,) or (kind is not None and array.dtype != kind):
        raise TrialError(
            "protocol_violation",
            f"output {end.name!r} came back as {array.dtype} {list(array.shape)}, and the model "
            f"gives {end.dtype} for {count} samples",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        worst = int(np.flatnonzero(~np.isfinite(array.reshape(count, -1)).all(axis=1))[0])
        raise TrialError(
            "output_nan",
            f"output {end.name!r} of the model holds NaN or infinity for sample {worst}",
        )
    return _dequantized(array, end)


def _dequantized(array: Array, end: TensorInfo) -> Array:
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if end.quantization is None or array.dtype.kind not in "iu":
        return array
    real = array.astype(np.float32)
    real -= np.float32(end.quantization.zero_point)
    real *= np.float32(end.quantization.scale)
    return real


def _kind(end: TensorInfo) -> np.dtype[Any] | None:
    try:
        return np.dtype(end.dtype)
    except TypeError:  # integers of four bits, strings, …
        return None


def _output_bytes(end: TensorInfo) -> int:
    """What one sample's answer takes in this process, where the shape is known."""
    kind = _kind(end)
    item = 4 if kind is None else kind.itemsize
    return _values(end) * (max(4, item) if end.quantization else item)


def _most_bytes(end: TensorInfo) -> int:
    """What one sample's answer can take in a file."""
    # What shape an output has that the file gives none is known when it was run.
    if None in end.shape[1:] or not end.shape:
        return _OPEN_OUTPUT_BYTES
    kind = _kind(end)
    # Without its batch, whatever that is, at least one sample's values are left.
    return _values(end, whole=True) * (8 if kind is None else kind.itemsize)


def _values(end: TensorInfo, whole: bool = False) -> int:
    """How many values one sample has; ``whole``: with the batch, as if it were none."""
    shape = end.shape if whole or len(end.shape) < 2 else end.shape[1:]
    return int(np.prod([1 if n is None else n for n in shape], dtype=np.int64))
