"""The reference answers of a file: what the plain kernels of this machine make of it.

No delegate takes part, one thread, a process of its own; but XNNPACK where LiteRT's plain kernels
are wrong: weights with a scale for each block of a row, and 4-bit ones of -8. A device's answers
are compared with them, which needs no labels: what differs is the device's kernels, its delegate,
or the file.

The same kernels answer once more with inputs that are moved by a rounding, which shows what
rounding makes of this network's answers: little of those of a good one, much of a chaotic one's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from mobilebench.devices.base import Device, InvalidTrialError, TrialError
from mobilebench.files import disk_errors, write_atomically
from mobilebench.models.array import Array
from mobilebench.quality.output import OutputTally, Rounding
from mobilebench.records.interface import Interface, TensorInfo
from mobilebench.runs import samples as batches
from mobilebench.runs.samples import OpenSamples, Samples
from mobilebench.tflite import precision

#: So many samples are compared.
COUNT = 32

_TIMEOUT_SECONDS = 600.0

#: Integers of so many bytes are numbers of something: words, classes, rows of a table.
_WIDE = 4

#: The file itself cannot answer the samples, rather than that this machine cannot run it.
_FILE_FAILS = ("inputs_bad", "output_nan")


@dataclass(frozen=True)
class Reference:
    """The reference answers to the first samples, a file a batch.

    ``files`` has those to the first, second, … batch of ``size`` samples, ``count`` samples in all;
    if there are none, ``reason`` says why. ``fails``: plain kernels run the file, and it fails on
    these samples: no delegate's answers are its own. ``roundings`` are of each output; none where
    that is not known.
    """

    interface: Interface | None = None
    files: tuple[Path, ...] = ()
    size: int = 1
    count: int = 0
    reason: str = ""
    fails: bool = False
    roundings: tuple[Rounding, ...] = ()

    def answers(self, start: int) -> list[Array]:
        """The answers to the batch that begins with that sample, as far as there are any.

        Raises:
            TrialError: their file is damaged.
        """
        if start >= self.count or self.interface is None:
            return []
        rows = min(self.size, self.count - start)
        return batches.read_outputs(self.files[start // self.size], self.interface, rows)


NO_REFERENCE = Reference(reason="no reference answers were made")


def reference(
    machine: Device,
    version: str,
    model: Path,
    model_sha256: str,
    interface: Interface,
    samples: Samples,
    cache: Path,
) -> Reference:
    """A file's reference answers: those of an earlier run, or they are computed now.

    Args:
        machine: this machine, as a device.
        version: of its runtime.
        model: the file, not packed.
        model_sha256: its hash.
        interface: what it takes and gives.
        samples: what is asked.
        cache: where answers are kept between runs.

    Raises:
        BadInputError: the file of samples is damaged.
    """
    with samples.opened() as opened:
        size = batches.batch_size(samples, opened, interface)
        count = min(COUNT, samples.count)
        starts = range(0, count, size)
        # Measured against NumPy: -1.8 dB by the plain kernel and 63.8 dB by XNNPACK of 16 blocks a
        # row, -5.1 and 44.9 dB of 4 bits with 1 % of the weights -8.
        content = model.read_bytes()
        xnnpack = precision.needs_xnnpack(content, str(model))
        address = f"{model_sha256} {version} {samples.digest} {size} {count}"
        address += " xnnpack" if xnnpack else ""
        folder = cache / "references" / hashlib.sha256(address.encode()).hexdigest()
        found = Reference(
            interface,
            tuple(folder / f"{number}.safetensors" for number in range(len(starts))),
            size,
            count,
        )
        kernels = _Kernels(machine, model, model_sha256, xnnpack)
        if not _is_whole(found):
            with disk_errors(folder):
                folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                made = Path(scratch) / "made"
                made.mkdir()
                try:
                    for number, start in enumerate(starts):
                        inputs = opened.inputs(start, min(start + size, count))
                        kernels.answer(inputs, made / f"{number}.safetensors")
                except TrialError as error:
                    return Reference(
                        interface,
                        reason=f"no reference answers: {error.reason}",
                        fails=error.code in _FILE_FAILS,
                    )
                with disk_errors(folder):
                    try:
                        os.replace(made, folder)
                    except OSError:  # another process was faster, or what is there is damaged
                        if not _is_whole(found):
                            shutil.rmtree(folder, ignore_errors=True)
                            os.replace(made, folder)
        if precision.read(content, str(model)).arithmetic == "float32":
            return found  # sums in another order are far less than what moves the inputs
        return replace(found, roundings=_roundings(found, opened, kernels, folder))


@dataclass(frozen=True)
class _Kernels:
    """What answers: a file on this machine, in a fresh process each time."""

    machine: Device
    model: Path
    sha256: str
    xnnpack: bool

    def answer(self, inputs: Mapping[str, Array], file: Path) -> None:
        """Writes the answers to some samples to a file.

        Raises:
            TrialError: there are none.
        """
        sent, sha256 = batches.write_inputs(file.parent.parent, dict(inputs))
        job = Job(
            protocol=contract.PROTOCOL_VERSION,
            trial=f"reference-{file.stem}",
            kind="outputs",
            model=self.machine.push(self.model, self.sha256),
            model_sha256=self.sha256,
            xnnpack=self.xnnpack,
            inputs=self.machine.push(sent, sha256),
            inputs_sha256=sha256,
        )
        job = replace(job, outputs_folder=self.machine.outputs_folder(job))
        try:
            _answer(self.machine, job, file)
        finally:
            sent.unlink()


def _roundings(
    found: Reference, opened: OpenSamples, kernels: _Kernels, folder: Path
) -> tuple[Rounding, ...]:
    """What a rounding of the inputs does to each output: of an earlier run, or it is seen now."""
    assert found.interface is not None
    outputs = found.interface.outputs
    kept = folder / "roundings.safetensors"
    if (known := _read_roundings(kept, len(outputs))) is not None:
        return known
    tallies = [OutputTally(end, is_moved=True) for end in outputs]
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        file = Path(scratch) / "made" / "moved.safetensors"
        file.parent.mkdir()
        for start in range(0, found.count, found.size):
            rows = min(found.size, found.count - start)
            inputs = moved(opened.inputs(start, start + rows), found.interface.inputs, generator)
            if inputs is None:
                return ()
            try:
                kernels.answer(inputs, file)
                answers = batches.read_outputs(file, found.interface, rows)
                reference = found.answers(start)
            except TrialError:
                return ()
            for tally, wanted, given in zip(tallies, reference, answers, strict=True):
                if wanted.shape != given.shape:
                    return ()
                tally.add(wanted, given)
    roundings = tuple(tally.rounding() for tally in tallies)
    _write_roundings(kept, roundings)
    return roundings


def moved(
    inputs: Mapping[str, Array], ends: Sequence[TensorInfo], generator: np.random.Generator
) -> dict[str, Array] | None:
    """Inputs, each value of which is moved by up to a rounding to 8 bits; None: none can be.

    Numbers that name something, as wide integers do, and truth values stay.

    Args:
        inputs: by position, as they are sent.
        ends: the file's.
        generator: of the moves.
    """
    found, any_moved = {}, False
    for name, array in inputs.items():
        quantization = ends[int(name)].quantization if int(name) < len(ends) else None
        kind = array.dtype
        if kind.kind == "f":
            rows = array.reshape(len(array), -1).astype(np.float64)
            if quantization is not None:
                step = np.full(len(rows), quantization.scale)
            else:
                step = (rows.max(axis=1, initial=0) - rows.min(axis=1, initial=0)) / 255
            change = generator.uniform(-1, 1, rows.shape) * step[:, np.newaxis]
            found[name] = (rows + change).astype(kind).reshape(array.shape)
        elif kind.kind in "iu" and (quantization is not None or kind.itemsize < _WIDE):
            limits = np.iinfo(kind)
            change = generator.integers(-1, 1, array.shape, endpoint=True)
            found[name] = np.clip(array + change, limits.min, limits.max).astype(kind)
        else:
            found[name] = array
            continue
        any_moved = True
    return found if any_moved else None


def _read_roundings(path: Path, count: int) -> tuple[Rounding, ...] | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        kept = load_file(path)
        rows = [kept[str(number)] for number in range(count)]
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
    if any(row.ndim != 1 or len(row) < 2 or not np.isfinite(row).all() for row in rows):
        return None
    return tuple(Rounding(float(row[0]), row[1:]) for row in rows)


def _write_roundings(path: Path, roundings: Sequence[Rounding]) -> None:
    from safetensors.numpy import save

    rows = {str(i): np.array([each.snr_db, *each.noise]) for i, each in enumerate(roundings)}
    with disk_errors(path):
        write_atomically(path, save(rows))


def _answer(machine: Device, job: Job, file: Path) -> None:
    try:
        result = machine.run(job, lambda _event: None, _TIMEOUT_SECONDS)
    except InvalidTrialError as invalid:
        # Heat makes it slow, not wrong.
        if invalid.result is None:
            raise
        result = invalid.result
    machine.pull(result.outputs, result.outputs_sha256, result.outputs_bytes, file)


def _is_whole(found: Reference) -> bool:
    try:
        for start in range(0, found.count, found.size):
            found.answers(start)
    except TrialError:
        return False
    return True
