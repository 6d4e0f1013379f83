"""Which operator of a file a device computes differently from the plain kernels of this machine.

Three files are run on the device and, for the reference, on this machine: the file itself; the file
with every intermediate tensor as an output, which shows where a difference begins; and a file of
all operators apart, each given what the reference has there, which shows who makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from mobilebench.analysis import units
from mobilebench.cache import cache_folder
from mobilebench.compress.checks.samples import Samples as ModelData
from mobilebench.compress.checks.samples import UnusableError
from mobilebench.devices.base import Device, TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import BadInputError, InvalidRunError, StepError
from mobilebench.files import disk_errors
from mobilebench.models.array import Array
from mobilebench.models.datasets import load_dataset
from mobilebench.quality.parity import Tolerance, differs, tolerance
from mobilebench.records.answers import LARGEST_SNR_DB, OutputParity
from mobilebench.records.runtime import Runtime
from mobilebench.runs import references
from mobilebench.runs.answers import Question, ask
from mobilebench.runs.samples import Samples
from mobilebench.tflite import cut, entry, interface, precision
from mobilebench.tflite.graph import Operator, Tensor, parse
from mobilebench.tflite.interpreter import Runner
from mobilebench.tflite.noise import noise

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
#: What a machine gives back, of what a tensor may hold.
_NUMBERS = ("FLOAT64", "FLOAT32", "FLOAT16", "INT64", "UINT64", "INT32", "UINT32")
_SMALL_NUMBERS = ("INT16", "UINT16", "INT8", "UINT8", "BOOL")


@dataclass(frozen=True)
class TensorParity:
    """What one operator computes into one tensor, on the device against the reference.

    Attributes:
        operator: its number in the file.
        kind: as TensorFlow Lite calls it, like ``CONV_2D``.
        output: the tensor's name.
        so_far: the parity (dB) with all operators before it on the device; None: unknown.
        alone: the parity (dB) where it is given what the reference has; None: unknown.
        so_far_differs, alone_differs: whether that is more than rounding explains.
        reason: why something is unknown.
    """

    operator: int
    kind: str
    output: str
    so_far: float | None
    alone: float | None
    so_far_differs: bool
    alone_differs: bool
    reason: str = ""


@dataclass(frozen=True)
class LayerParity:
    """A file on one device, operator by operator.

    Attributes:
        device: its name.
        samples: how many were compared; ``source``: ``data`` or ``noise``.
        least_db: below which an output differs, unless by no more than its format resolves.
        outputs: of the file as it is; empty where the device answers with NaN or infinity.
        tensors: in the file's order.
        separately: whether each tensor was kept in a run of its own.
        differs: whether anything is beyond what is allowed.
        first: the number of the first operator that is; None if there is none.
        sentence: what was found.
    """

    device: str
    samples: int
    source: str
    least_db: float
    outputs: tuple[OutputParity, ...]
    tensors: tuple[TensorParity, ...]
    separately: bool
    differs: bool
    first: int | None
    sentence: str


def samples_for(
    content: bytes, where: str, data: str | None, scratch: Path
) -> tuple[bytes, Samples]:
    """The samples that a file is run on: the first of its evaluation data, or seeded noise.

    Args:
        content: the file.
        where: what error messages call it.
        data: as ``--data`` names them; None: noise.
        scratch: where the file of samples goes.

    Returns:
        the file, with the data's shapes where it leaves its own open, and the samples.

    Raises:
        BadInputError: the data are not there or do not fit, or a shape is open.
    """
    raw = load_dataset(data or "random", seed=0)
    shapes = entry.of_samples(interface.read(content, where), raw.sample_shapes)
    content = entry.enter(content, where, shapes=shapes)
    taken = interface.read(content, where)
    entry.require_fixed(taken, where)
    try:
        if raw.seed is not None:
            rows = Runner(content, delegate=False).table_rows
            return content, _stored(scratch, noise([taken], references.COUNT, 0, rows), "noise")
        found = ModelData(
            raw, given=True, levels=False, model=where, seed=0, integers="either"
        ).evaluation(content)
        if found is None:
            raise BadInputError(f"data {raw.name} have no evaluation samples (x_test)")
        first = replace(found.part, labels=None).chosen(np.arange(min(32, found.part.count)))
        return content, _stored(scratch, replace(found, part=first).inputs(raw.origin), "data")
    except (StepError, UnusableError) as error:
        raise BadInputError(f"model {where} cannot be run on these samples: {error}") from error


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
    inputs = _first_rows(samples, max(1, min(references.COUNT, _MOST_BYTES // max(each, 1))))
    asked = _stored(scratch, inputs, samples.source)
    arithmetic = precision.read(content, where).arithmetic
    allowed = tolerance(arithmetic, runtime.accelerator)
    if least_db is not None:
        allowed = Tolerance(least_db, 0.0, 0.0, "that much is asked for")
    bench = _Bench(device, runtime, allowed, scratch)
    try:
        report(0, 3)
        whole = _whole(bench, content, asked)
        report(1, 3)
        so_far = _SoFar(bench, content, asked)
        found = _each(so_far.run, named)
        separately = _differ(whole) and not _differ(found.values())
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
    first = next((t for t in tensors if t.so_far_differs), None)
    sentence = _sentence(device.name, whole, tensors, first, allowed)
    number = None if first is None else first.operator
    return LayerParity(
        device.name,
        asked.count,
        asked.source,
        allowed.snr_db,
        tuple(each.parity for each in whole if each.parity is not None),
        tensors,
        separately,
        first is not None or _differ(whole),
        number,
        sentence,
    )


@dataclass(frozen=True)
class _Found:
    """One tensor on the device against the reference.

    ``parity`` is None where it is unknown, and ``reason`` says why.
    """

    parity: OutputParity | None
    differs: bool = False
    reason: str = ""

    @property
    def snr_db(self) -> float | None:
        """The parity (dB); the least there is where the device gives NaN or infinity."""
        if self.parity is None:
            return -LARGEST_SNR_DB if self.differs else None
        return self.parity.snr_db


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
                accelerator=self.runtime.accelerator,
                threads=self.runtime.threads,
                xnnpack=self.runtime.xnnpack,
                cpus=self.runtime.cpus,
            )
            question = Question(taken, samples, reference)
            found = ask(self.device, job, question, lambda _: None, _TIMEOUT_SECONDS, 0)
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


def _whole(bench: _Bench, content: bytes, samples: Samples) -> list[_Found]:
    try:
        return bench.ask(content, samples)
    except TrialError as error:
        if error.code != "output_nan":
            raise
        return [_Found(None, True, error.reason)]


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
        answers = bench.ask(file, _stored(bench.scratch, inputs, source))
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
            # The reference is finite: its own answers were made before.
            failed = _Found(None, error.code == "output_nan", error.reason)
            return {t.index: failed for t in operators[0].outputs}
    half = len(operators) // 2
    return _each(run, operators[:half]) | _each(run, operators[half:])


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


def _sentence(
    device: str,
    whole: Sequence[_Found],
    tensors: Sequence[TensorParity],
    first: TensorParity | None,
    allowed: Tolerance,
) -> str:
    """What was found, in a sentence or two."""
    needed = f"at least {allowed.snr_db:g} dB are needed"
    if first is None and not _differ(whole):
        lowest = min((t.so_far for t in tensors if t.so_far is not None), default=None)
        said = "" if lowest is None else f": the lowest parity is {units.decibels(lowest)}"
        return f"No operator differs on {device} by more than rounding explains{said}."
    if first is None:
        parity = min((f.snr_db for f in whole if f.snr_db is not None), default=-LARGEST_SNR_DB)
        return (
            f"The outputs differ on {device} (parity {units.decibels(parity)}, {needed}), and no "
            "intermediate tensor does once it is kept: the difference is made where a delegate "
            "runs several operators as one."
        )
    # A converter names a tensor after all layers that it made one of.
    output = first.output.partition(";")[0]
    name = f"Operator {first.operator} ({first.kind}, output {output!r})"
    begins = (
        f"{name} is the first that differs on {device}: its parity is "
        f"{units.decibels(first.so_far or 0)}, and {needed}."
    )
    if first.alone is None:
        return f"{begins} By itself it was not compared: {first.reason or 'it cannot be run'}."
    if first.alone_differs:
        return (
            f"{begins} It makes the difference itself: given the reference's inputs, it has "
            f"{units.decibels(first.alone)}."
        )
    before = [t for t in tensors if t.alone is not None and t.operator <= first.operator]
    wrong = [t for t in before if t.alone_differs]
    worst = wrong[0] if wrong else min(before, key=lambda t: t.alone or 0.0)
    weakest = f"{worst.operator} ({worst.kind}) with {units.decibels(worst.alone or 0)}"
    if worst.alone_differs:
        return f"{begins} The difference is made before it: by itself, operator {weakest} differs."
    return (
        f"{begins} By itself it does not differ ({units.decibels(first.alone)}), nor does any "
        f"before it (the lowest is operator {weakest}): small differences add up from operator to "
        "operator, or a delegate runs several of them as one and does it wrongly."
    )


def _differ(found: Iterable[_Found]) -> bool:
    return any(each.differs for each in found)


def _numbers(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [t for t in tensors if t.type in (*_NUMBERS, *_SMALL_NUMBERS)]


def _first_rows(samples: Samples, count: int) -> dict[str, Array]:
    with samples.opened() as opened:
        return opened.inputs(0, min(count, samples.count))


def _stored(scratch: Path, inputs: Mapping[str, Array], source: Any) -> Samples:
    from safetensors.numpy import save_file

    count = len(next(iter(inputs.values())))
    path = scratch / "inputs.safetensors"
    with disk_errors(path):
        save_file({name: np.ascontiguousarray(array) for name, array in inputs.items()}, path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        path = path.replace(scratch / f"{digest}.safetensors")
    return Samples(path, digest, count, source)


def _raw(files: Sequence[Path], outputs: int) -> list[Array]:
    """Reference answers as they are stored, by the output's position."""
    from safetensors.numpy import load_file

    batches = [load_file(file) for file in files]
    return [np.concatenate([batch[str(i)] for batch in batches]) for i in range(outputs)]
