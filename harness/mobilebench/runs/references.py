"""The reference answers of a file: what the plain kernels of this machine make of it.

No delegate takes part, one thread, a process of its own; but XNNPACK where weights have a scale
for each block of a row, which LiteRT's plain kernels get wrong. A device's answers are compared
with them, which needs no labels: what differs is the device's kernels, its delegate, or the file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from mobilebench.devices.base import Device, InvalidTrialError, TrialError
from mobilebench.files import disk_errors
from mobilebench.models.array import Array
from mobilebench.records.interface import Interface
from mobilebench.runs import samples as batches
from mobilebench.runs.samples import Samples
from mobilebench.tflite import precision

#: So many samples are compared.
COUNT = 32

_TIMEOUT_SECONDS = 600.0

#: The file itself cannot answer the samples, rather than that this machine cannot run it.
_FILE_FAILS = ("inputs_bad", "output_nan")


@dataclass(frozen=True)
class Reference:
    """The reference answers to the first samples, a file a batch.

    ``files`` has those to the first, second, … batch of ``size`` samples, ``count`` samples in all;
    if there are none, ``reason`` says why. ``fails``: plain kernels run the file, and it fails on
    these samples: no delegate's answers are its own.
    """

    interface: Interface | None = None
    files: tuple[Path, ...] = ()
    size: int = 1
    count: int = 0
    reason: str = ""
    fails: bool = False

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
        address = f"{model_sha256} {version} {samples.digest} {size} {count}"
        folder = cache / "references" / hashlib.sha256(address.encode()).hexdigest()
        found = Reference(
            interface,
            tuple(folder / f"{number}.safetensors" for number in range(len(starts))),
            size,
            count,
        )
        if _is_whole(found):
            return found
        # Measured against NumPy, 16 blocks a row: -1.8 dB by the plain kernel, 63.8 dB by XNNPACK.
        xnnpack = precision.has_blocks(model.read_bytes(), str(model))
        with disk_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            try:
                for number, start in enumerate(starts):
                    inputs = opened.inputs(start, min(start + size, count))
                    file, sha256 = batches.write_inputs(Path(scratch), inputs)
                    job = Job(
                        protocol=contract.PROTOCOL_VERSION,
                        trial=f"reference-{number}",
                        kind="outputs",
                        model=machine.push(model, model_sha256),
                        model_sha256=model_sha256,
                        xnnpack=xnnpack,
                        inputs=machine.push(file, sha256),
                        inputs_sha256=sha256,
                    )
                    job = replace(job, outputs_folder=machine.outputs_folder(job))
                    _answer(machine, job, made / f"{number}.safetensors")
                    file.unlink()
            except TrialError as error:
                return Reference(
                    interface,
                    reason=f"no reference answers: {error.reason}",
                    fails=error.code in _FILE_FAILS,
                )
            shutil.rmtree(folder, ignore_errors=True)
            with disk_errors(folder):
                os.replace(made, folder)
    return found


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
