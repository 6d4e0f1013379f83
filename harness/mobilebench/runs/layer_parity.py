"""Which operator of a file a device computes differently from the plain kernels of this machine.

Three files are run on the device and, for the reference, on this machine: the file itself; the file
with every intermediate tensor as an output, which shows where a difference begins; and a file of
all operators apart, each given what the reference has there, which shows who makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from mobilebench.cache import cache_folder
from mobilebench.devices.base import Device, TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.files import disk_errors
from mobilebench.models.array import Array
from mobilebench.quality.parity import Tolerance, differs, tolerance
from mobilebench.quality.parity import asked as asked_ratio
from mobilebench.records.answers import OutputParity
from mobilebench.records.runtime import Runtime
from mobilebench.runs import references
from mobilebench.runs.answers import Evaluation, ask
from mobilebench.runs.debug_samples import first_rows, stored
from mobilebench.runs.layer_finding import LayerParity, TensorParity, first_of, sentence
from mobilebench.runs.samples import Samples
from mobilebench.tflite import cut, interface, precision
from mobilebench.tflite.graph import Operator, Tensor, parse

#: All intermediate tensors of all samples take no more than that, or there are fewer samples.
_MOST_BYTES = 128 << 20
_TIMEOUT_SECONDS = 600.0
#: Failures that may be one operator's: the others are then run without it.
_OF_AN_OPERATOR = (
    "model_unsupported",
    "output_nan",
    "inputs_bad",
    "outputs_unsupported",
    "out_of_memory",
    "agent_died",
    "app_crashed",
    "internal",
)
#: Of these, what is wrong of the device itself.
_WRONG = ("output_nan", "agent_died", "app_crashed", "model_unsupported")
#: What a machine gives back, of what a tensor may hold.
_NUMBERS = ("FLOAT64", "FLOAT32", "FLOAT16", "INT64", "UINT64", "INT32", "UINT32")
_SMALL_NUMBERS = ("INT16", "UINT16", "INT8", "UINT8", "BOOL")


def compare(
    device: Device,
    content: bytes,
    where: str,
    samples: Samples,
    runtime: Runtime,
    scratch: Path,
    report: Callable[[int, int], None] = lambda _done, _of: None,
    least_db: float | None = None,
) -> LayerParity:
    """Compares a file on a device with the plain kernels of this machine, operator by operator.

    Args:
        device: where; it has been greeted.
        content: the file.
        where: what error messages call it.
        samples: of which as many are used as there is room for.
        runtime: accelerator, threads, delegate.
        scratch: a folder for files.
        report: is given how many runs are done, and of how many.
        least_db: the parity that is asked for instead of what the arithmetic is allowed.

    Raises:
        BadInputError: the file cannot be read.
        InvalidRunError: the device or this machine cannot run the file at all.
    """
    graph = parse(content, where)
    given = cut.given(content)
    operators = [operator for operator in graph.operators if operator.index in given]
    named = [operator for operator in operators if _numbers(operator.outputs)]
    if not named:
        raise BadInputError(f"model {where} has no operator whose outputs are numbers")
    each = sum(t.count * t.bits // 8 for operator in named for t in _numbers(operator.outputs))
    inputs = first_rows(samples, max(1, min(references.COUNT, _MOST_BYTES // max(each, 1))))
    asked = stored(scratch, inputs, samples.source)
    arithmetic = precision.read(content, where).arithmetic
    allowed = tolerance(arithmetic, runtime.accelerator, runtime.precision)
    if least_db is not None:
        allowed = asked_ratio(least_db)
    bench = _Bench(device, runtime, allowed, scratch)
    try:
        report(0, 3)
        whole, runs = _whole(bench, content, asked)
        report(1, 3)
        so_far = _SoFar(bench, content, asked)
        found = _each(so_far.run, named) if runs else _at_once(so_far.run, named)
        separately = runs and _differ(whole) and not _differ(found.values())
        if separately:
            # With every tensor kept a delegate may fuse less, and what is wrong may be a fusion.
            found = {k: v for operator in named for k, v in _each(so_far.run, [operator]).items()}
        report(2, 3)
        values = {t.index: inputs[str(i)] for i, t in enumerate(graph.inputs)} | so_far.values
        alone = _alone(bench, content, named, given, values, samples.source)
        report(3, 3)
    except TrialError as error:
        raise InvalidRunError(f"device {device.name!r}: {error.reason}") from error
    tensors = tuple(
        _row(operator, tensor, found[tensor.index], alone[tensor.index])
        for operator in named
        for tensor in _numbers(operator.outputs)
    )
    first = first_of(tensors)
    known = [each.snr_db for each in whole if each.snr_db is not None]
    said = sentence(device.name, min(known, default=None), _differ(whole), tensors, allowed.snr_db)
    return LayerParity(
        device.name,
        asked.count,
        asked.source,
        allowed.snr_db,
        tuple(each.parity for each in whole if each.parity is not None),
        tensors,
        separately,
        _differ(whole) or any(t.alone_differs for t in tensors),
        None if first is None else first.operator,
        said,
    )


@dataclass(frozen=True)
class _Found:
    """One tensor on the device against the reference.

    ``parity`` is None where it is unknown, and ``reason`` says why.
    """

    parity: OutputParity | None
    differs: bool = False
    reason: str = ""

    @classmethod
    def failed(cls, error: TrialError) -> _Found:
        """Of what has no answers."""
        return cls(None, error.code in _WRONG, error.reason)

    @property
    def snr_db(self) -> float | None:
        """The parity (dB); None where it is unknown, as where the device gives NaN or crashes."""
        return None if self.parity is None else self.parity.snr_db


_Run = Callable[[Sequence[Operator]], dict[int, _Found]]


@dataclass
class _Bench:
    """A device and this machine, which answer the same samples."""

    device: Device
    runtime: Runtime
    allowed: Tolerance
    scratch: Path
    machine: LocalDevice = field(
        default_factory=lambda: LocalDevice("this machine", None, cache_folder())
    )
    runs: int = 0

    def ask(
        self,
        content: bytes,
        samples: Samples,
        keep: Callable[[list[Array]], None] = lambda _: None,
    ) -> list[_Found]:
        """How alike the answers are, output by output.

        ``keep`` is given the reference's own, as they are stored in the file.

        Raises:
            TrialError: there are none of the device, or none to compare them with.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        file = self.scratch / f"{sha256}.tflite"
        with disk_errors(file):
            file.write_bytes(content)
        taken = interface.read(content, str(file))
        reference = references.reference(
            self.machine, "", file, sha256, taken, samples, self.scratch
        )
        if reference.reason:
            raise TrialError("outputs_unsupported", f"this machine has {reference.reason}")
        keep(_raw(reference.files, len(taken.outputs)))
        self.runs += 1
        try:
            job = Job(
                protocol=contract.PROTOCOL_VERSION,
                trial=f"layers-{self.runs}",
                kind="latency",  # until the samples are sent
                model=self.device.push(file, sha256),
                model_sha256=sha256,
                **self.runtime.in_job,
            )
            evaluation = Evaluation(taken, samples, reference)
            found = ask(self.device, job, evaluation, lambda _: None, _TIMEOUT_SECONDS, 0)
        finally:
            with contextlib.suppress(TrialError):
                self.device.discard(sha256)
            file.unlink()
        if found.result is None or not found.answers.parity:
            reason = found.answers.parity_reason or "it gave no answers to compare"
            raise TrialError("outputs_unsupported", reason)
        steps = precision.read(content, str(file)).steps
        return [
            _Found(parity, differs(parity, self.allowed, step=step))
            for parity, step in zip(found.answers.parity, steps, strict=True)
        ]


@dataclass
class _SoFar:
    """The file with tensors of its graph as outputs.

    ``values`` are the reference's tensors, as they are stored.
    """

    bench: _Bench
    content: bytes
    samples: Samples
    values: dict[int, Array] = field(default_factory=dict)

    def run(self, operators: Sequence[Operator]) -> dict[int, _Found]:
        tensors = [t.index for operator in operators for t in _numbers(operator.outputs)]
        content = cut.with_outputs(self.content, tensors)

        def keep(arrays: list[Array]) -> None:
            self.values.update(zip(tensors, arrays, strict=True))

        return dict(zip(tensors, self.bench.ask(content, self.samples, keep), strict=True))


def _whole(bench: _Bench, content: bytes, samples: Samples) -> tuple[list[_Found], bool]:
    """What of the file's outputs is found, and whether the device runs the file to its end."""
    try:
        return bench.ask(content, samples), True
    except TrialError as error:
        if error.code not in _WRONG:
            raise
        return [_Found.failed(error)], error.code == "output_nan"


def _alone(
    bench: _Bench,
    content: bytes,
    operators: Sequence[Operator],
    given: Mapping[int, tuple[int, ...]],
    values: Mapping[int, Array],
    source: Any,
) -> dict[int, _Found]:
    """The parity of each tensor whose operator is given the reference's own tensors."""
    shapes = {tensor: array.shape[1:] for tensor, array in values.items()}
    found: dict[int, _Found] = {}
    possible = []
    for operator in operators:
        if reason := _not_apart(operator, given[operator.index], values):
            found |= {t.index: _Found(None, reason=reason) for t in operator.outputs}
        else:
            possible.append(operator)

    def run(chosen: Sequence[Operator]) -> dict[int, _Found]:
        file, taken = cut.apart(content, [operator.index for operator in chosen], shapes)
        inputs = {str(i): values[tensor] for i, tensor in enumerate(taken)}
        tensors = [t.index for operator in chosen for t in operator.outputs]
        answers = bench.ask(file, stored(bench.scratch, inputs, source))
        return dict(zip(tensors, answers, strict=True))

    return found | (_each(run, possible) if possible else {})


def _not_apart(operator: Operator, given: Sequence[int], values: Mapping[int, Array]) -> str:
    """Why an operator cannot be run by itself; empty if it can."""
    if any("subgraph" in key.lower() for key in vars(operator.options or object)):
        return "it runs other subgraphs"
    if len(_numbers(operator.outputs)) < len(operator.outputs):
        return "not all that it gives are numbers"
    if not given:
        return "it is given constants only"
    if any(tensor not in values for tensor in given):
        return "what it is given is not known of the reference"
    return ""


def _each(run: _Run, operators: Sequence[Operator]) -> dict[int, _Found]:
    """Runs operators together; where that fails, in halves, until it is known whose failure it is.

    Raises:
        TrialError: the failure is the device's own.
    """
    try:
        return run(operators)
    except TrialError as error:
        if error.code not in _OF_AN_OPERATOR:
            raise
        if len(operators) == 1:
            return {t.index: _Found.failed(error) for t in operators[0].outputs}
    half = len(operators) // 2
    return _each(run, operators[:half]) | _each(run, operators[half:])


def _at_once(run: _Run, operators: Sequence[Operator]) -> dict[int, _Found]:
    """Runs operators of a file that may not run: then there is no use in fewer of its tensors.

    Raises:
        TrialError: the failure is the device's own.
    """
    try:
        return run(operators)
    except TrialError as error:
        if error.code not in _OF_AN_OPERATOR:
            raise
        unknown = _Found(None, reason=f"with all operators: {error.reason}")
        return {t.index: unknown for operator in operators for t in operator.outputs}


def _row(operator: Operator, tensor: Tensor, so_far: _Found, alone: _Found) -> TensorParity:
    reasons = dict.fromkeys(filter(None, (so_far.reason, alone.reason)))
    return TensorParity(
        operator.index,
        operator.kind,
        tensor.name,
        so_far.snr_db,
        alone.snr_db,
        so_far.differs,
        alone.differs,
        "; ".join(reasons),
    )


def _differ(found: Iterable[_Found]) -> bool:
    return any(each.differs for each in found)


def _numbers(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [t for t in tensors if t.type in (*_NUMBERS, *_SMALL_NUMBERS)]


def _raw(files: Sequence[Path], outputs: int) -> list[Array]:
    """Reference answers as they are stored, by the output's position."""
    from safetensors.numpy import load_file

    batches = [load_file(file) for file in files]
    return [np.concatenate([batch[str(i)] for batch in batches]) for i in range(outputs)]
