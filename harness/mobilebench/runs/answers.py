"""An ``outputs`` trial: samples go to the device, its answers come home and are looked at.

Both a batch at a time: each is one job in a fresh process, and of its raw answers nothing is kept
but those to the first samples and what the task makes of all of them.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from mobilebench_agent.contract import Event, Job, Metric, Result

from mobilebench.devices.base import Device, InvalidTrialError, OnEvent, TrialError
from mobilebench.errors import BadInputError
from mobilebench.models.array import Array
from mobilebench.models.hooks import Hooks
from mobilebench.records.answers import Answers
from mobilebench.records.interface import Interface
from mobilebench.runs import samples as batches
from mobilebench.runs.parity import Parity
from mobilebench.runs.references import NO_REFERENCE, Reference
from mobilebench.runs.samples import OpenSamples, Samples
from mobilebench.runs.scoring import Scoring

KIND = "outputs"

#: The answers to all samples are kept, if they take no more than that.
_ALL_BYTES = 16 << 20
#: Else those to so many, if they take no more than that.
_FIRST = 32
_FIRST_BYTES = 64 << 20

#: Why a device has no answers, with which there is nothing wrong but the samples or the model.
_NO_ANSWERS = ("inputs_bad", "outputs_unsupported")


NO_HOOKS = Hooks()


@dataclass(frozen=True)
class Evaluation:
    """What the variant of a trial is evaluated on, and what its answers are held against.

    Attributes:
        interface: of its file; None: it is not known.
        samples: None: there are none, and ``reason`` says why.
        reference: the file's reference answers.
        hooks: what the data's own file says of decoding and evaluating.
        reason: why there are no samples.
    """

    interface: Interface | None = None
    samples: Samples | None = None
    reference: Reference = NO_REFERENCE
    hooks: Hooks = NO_HOOKS
    reason: str = ""


NO_EVALUATION = Evaluation()


@dataclass(frozen=True)
class Found:
    """What came of a trial: for its line, and for the file beside it.

    ``result`` is what the agent reported of the first batch, with the warnings of all; None if it
    gave no answers.
    """

    answers: Answers
    arrays: Mapping[str, Array] = field(default_factory=dict)
    result: Result | None = None


def ask(
    device: Device,
    job: Job,
    evaluation: Evaluation,
    on_event: OnEvent,
    timeout_seconds: float,
    seed: int,
) -> Found:
    """Has a device answer all samples, and looks at its answers.

    Args:
        device: where.
        job: the trial's, but for its kind and inputs.
        evaluation: what it is asked.
        on_event: is given the progress over all batches.
        timeout_seconds: of each batch.
        seed: of the intervals.

    Raises:
        TrialError: the device failed, or gave what are no answers to these samples.
        InvalidTrialError: the device's state kept it from answering.
        InvalidRunError: the disk is full or failing.
    """
    samples, interface = evaluation.samples, evaluation.interface
    if samples is None or interface is None:
        reason = evaluation.reason or "there are no samples"
        return Found(Answers(0, "noise", "", reason=reason, parity_reason=reason))
    try:
        with samples.opened() as opened, _scratch() as scratch:
            return _ask(device, job, evaluation, opened, scratch, on_event, timeout_seconds, seed)
    except BadInputError as error:
        raise TrialError("inputs_bad", str(error)) from error
    except TrialError as error:
        if error.code not in _NO_ANSWERS or isinstance(error, InvalidTrialError):
            raise
        return Found(
            Answers(
                0, samples.source, samples.digest, reason=error.reason, parity_reason=error.reason
            )
        )


def _ask(
    device: Device,
    job: Job,
    evaluation: Evaluation,
    opened: OpenSamples,
    scratch: Path,
    on_event: OnEvent,
    timeout_seconds: float,
    seed: int,
) -> Found:
    samples, interface = evaluation.samples, evaluation.interface
    assert samples is not None
    assert interface is not None
    count = samples.count
    size = batches.batch_size(samples, opened, interface)
    parity = Parity(evaluation.reference, interface)
    scoring = Scoring(samples, opened, interface, evaluation.hooks)
    kept = _Kept(count)
    results: list[Result] = []
    for start in range(0, count, size):
        end = min(start + size, count)

        def report(event: Event, start: int = start, end: int = end) -> None:
            done = (start + event.done * (end - start)) / count
            on_event(replace(event, done=done) if event.phase == KIND else event)

        file, sha256 = batches.write_inputs(scratch, opened.inputs(start, end))
        fetched = scratch / "answers.safetensors"
        try:
            path = device.push(file, sha256)
            asked = replace(job, kind=KIND, inputs=path, inputs_sha256=sha256)
            asked = replace(asked, outputs_folder=device.outputs_folder(asked))
            results.append(_run(device, asked, report, timeout_seconds))
            batches.ensure_bounded(results[-1], interface, end - start)
            device.pull(
                results[-1].outputs,
                results[-1].outputs_sha256,
                results[-1].outputs_bytes,
                fetched,
            )
        finally:
            file.unlink()
            if size < count:
                # Gigabytes of samples may follow. Where the link is lost nothing can be removed.
                with contextlib.suppress(TrialError):
                    device.discard(sha256)
        outputs = batches.read_outputs(fetched, interface, end - start)
        fetched.unlink()
        parity.add(start, outputs)
        kept.add(outputs)
        scoring.add(start, end, outputs)
    if evaluation.reference.fails:
        why = evaluation.reference.reason.removeprefix("no reference answers: ")
        raise TrialError(
            "file_fails",
            f"the device gives answers, and plain kernels none, so that they are not this file's "
            f"own: {why}",
        )
    scored = scoring.found(seed)
    return Found(
        Answers(
            count,
            samples.source,
            samples.digest,
            scored.task,
            scored.reason,
            scored.scores,
            parity.found(),
            0 if parity.reason else parity.samples,
            parity.reason,
        ),
        {**kept.arrays(), **{f"reduced/{name}": rows for name, rows in scored.rows.items()}},
        _together(results, count),
    )


def _run(device: Device, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
    try:
        return device.run(job, on_event, timeout_seconds)
    except InvalidTrialError as invalid:
        if invalid.result is None:
            raise
        # What disturbs a measurement of time leaves the answers as they are.
        said = f"answered although {invalid.reason}"
        return replace(invalid.result, warnings=(*invalid.result.warnings, said))


def _together(results: Sequence[Result], count: int) -> Result:
    """What the agent reported of all batches."""
    first = results[0]
    answered = Metric("answered_samples", "1", "count", count, 1, n=len(results))
    metrics = [m for m in first.metrics if m.name != answered.name]
    warnings = dict.fromkeys(warning for result in results for warning in result.warnings)
    return replace(first, metrics=(answered, *metrics), warnings=tuple(warnings))


class _Kept:
    """The answers to the first samples, of which the comparison of variants is made."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._left: int | None = None
        self._rows: list[list[Array]] = []

    def add(self, outputs: Sequence[Array]) -> None:
        if self._left is None:
            each = max(1, batches.row_bytes(outputs))
            whole = each * self._count <= _ALL_BYTES
            self._left = self._count if whole else max(1, min(_FIRST, _FIRST_BYTES // each))
        if self._left:
            rows = [output[: self._left] for output in outputs]
            # Copies: a part of a batch would keep the whole of it.
            self._rows.append([np.array(part) for part in rows])
            self._left -= len(outputs[0])
            self._left = max(0, self._left)

    def arrays(self) -> dict[str, Array]:
        return {
            f"output/{position}": np.concatenate(parts)
            for position, parts in enumerate(zip(*self._rows, strict=True))
        }


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as folder:
        yield Path(folder)
