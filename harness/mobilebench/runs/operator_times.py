"""How long each operator of a file takes alone on a device, and what runs it there.

Each distinct operator is cut out into a file of its own, which is timed as an ordinary latency
trial: in a fresh process, after a preflight. A delegate that takes the operator alone is the one
that runs it; what it leaves is run by the CPU's plain kernels, as in the whole model. Neighbours
that a delegate runs as one are not seen: shares say where the time goes, and their sum is not the
model's latency, which is measured beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mobilebench_agent import contract
from mobilebench_agent.contract import Job, Result

from mobilebench.devices.base import Cooldown, Device, InvalidTrialError, TrialError
from mobilebench.devices.benchmark_model.profile import NodeProfile, Profiler
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.files import disk_errors
from mobilebench.records.operator_times import By, DistinctOperator, OperatorTime, OperatorTimes
from mobilebench.records.runtime import Runtime
from mobilebench.tflite import cut
from mobilebench.tflite.file import load
from mobilebench.tflite.inspect.distinct import distinct_operators

_WARMUP_SECONDS = 0.1
_SECONDS = 0.3
_RUNS = 20
_MAX_SECONDS = 30.0
_TIMEOUT_SECONDS = 120.0

#: Failures that are one operator's own; others end the profile.
_OF_AN_OPERATOR = (
    "model_unsupported",
    "model_corrupt",
    "output_nan",
    "open_shape",
    "agent_died",
    "app_crashed",
    "internal",
    "timeout",
)

#: How an agent begins what it says of delegates, and what of two alike that stayed two.
_OF_DELEGATES = ("the delegate took", "this runtime does not")
_NONE_OF_TWO = "took none of the model's 2 nodes"


def operator_times(
    device: Device,
    content: bytes,
    where: str,
    runtime: Runtime,
    scratch: Path,
    report: Callable[[int, int], None] = lambda _done, _of: None,
) -> OperatorTimes:
    """Times each distinct operator of a file alone on a device.

    Args:
        device: where.
        content: the file.
        where: what error messages call it.
        runtime: accelerator, threads, delegate, CPUs.
        scratch: a folder for files.
        report: is given how many operators are done, and of how many.

    Raises:
        BadInputError: the file cannot be read, or has no operator that can run alone, or the
            device's processor is emulated.
        InvalidRunError: the device is not fit, or does not run anything.
    """
    found = distinct_operators(content, where)
    if not found:
        raise BadInputError(f"model {where} has no operator that can be run alone")
    facts = device.probe()
    facts.ensure_timed()
    bench = _Bench(device, runtime, scratch)
    library = " ".join(filter(None, (f"{facts.library}, {runtime.label}", runtime.place)))
    if runtime.accelerator == "cpu" and not runtime.xnnpack:
        library += " without XNNPACK"
    if isinstance(device, Profiler):
        return _profiled(bench, device, content, found, facts.virtual, library)
    model = load(content)
    try:
        report(0, len(found) + 1)
        model_ns, whole = bench.whole(content)
        rows = []
        for number, operator in enumerate(found, 1):
            report(number, len(found) + 1)
            rows.append(bench.alone(cut.cut_out(model, operator.indices[0]), operator))
        report(len(found) + 1, len(found) + 1)
    except TrialError as error:
        raise InvalidRunError(f"device {device.name!r}: {error.reason}") from error
    if all(row.median_ns is None for row in rows):
        raise InvalidRunError(f"device {device.name!r} runs no operator alone: {rows[0].reason}")
    warnings = dict.fromkeys((*whole, *bench.warnings))
    return OperatorTimes(
        device.name, library, facts.virtual, model_ns, tuple(rows), tuple(warnings)
    )


def _profiled(
    bench: _Bench,
    device: Profiler,
    content: bytes,
    operators: Sequence[DistinctOperator],
    virtual: bool,
    library: str,
) -> OperatorTimes:
    """What the executor's own profiler finds: within the whole model, and of each node."""
    name = bench.device.name
    try:
        with bench.job(content, bench.runtime) as job:
            nodes = device.profile(job, _TIMEOUT_SECONDS)
    except TrialError as error:
        raise InvalidRunError(f"device {name!r}: {error.reason}") from error
    by_index = {index: operator for operator in operators for index in operator.indices}
    rows = tuple(_row(node, by_index, bench.runtime.accelerator) for node in nodes)
    return OperatorTimes(name, library, virtual, None, rows, alone=False)


def _row(
    node: NodeProfile, by_index: Mapping[int, DistinctOperator], accelerator: str
) -> OperatorTime:
    """A node of the profile; the file's operator where it is one, else a delegate's own."""
    known = None if node.index is None else by_index.get(node.index)
    if known is not None and known.kind == node.kind and node.index is not None:
        place = known.indices.index(node.index)
        operator = replace(known, indices=(node.index,), names=(known.names[place],))
        return OperatorTime(operator, node.mean_ns, 1, "built-in kernels")
    own = DistinctOperator((0,), node.kind, (), (), (), None, 0)
    by: By = "unknown"
    if node.name.startswith("Delegate/") and accelerator == "cpu":
        by = "xnnpack"
    return OperatorTime(own, node.mean_ns, 1, by)


class _Bench:
    """Runs files on a device, one trial each."""

    def __init__(self, device: Device, runtime: Runtime, scratch: Path) -> None:
        self.device, self.runtime, self.scratch = device, runtime, scratch
        #: What runs whatever an accelerator leaves: XNNPACK takes no part beside it.
        self._plain = Runtime(
            name=runtime.name,
            threads=runtime.threads,
            xnnpack=False,
            cpus=runtime.cpus,
            cluster=runtime.cluster,
        )
        self.warnings: list[str] = []
        self._trials = 0

    def whole(self, content: bytes) -> tuple[float | None, list[str]]:
        """The whole file's median (ns), or a warning that says why there is none."""
        try:
            return statistics.median(self._run(content, self.runtime).samples_ns), []
        except TrialError as error:
            self._ensure_its_own(error)
            return None, [f"the whole model was not timed: {error.reason}"]

    def alone(self, content: bytes, operator: DistinctOperator) -> OperatorTime:
        """One operator, by its accelerator where that takes it, else by the plain kernels.

        Raises:
            TrialError: the device's own failure.
        """
        left = ""
        try:
            try:
                result = self._run(content, self.runtime)
            except TrialError as error:
                if error.code != "accelerator_unavailable" or self._accelerator == "cpu":
                    raise
                left = error.reason
                result = self._run(content, self._plain)
        except TrialError as error:
            self._ensure_its_own(error)
            return OperatorTime(operator, None, 0, "unknown", error.reason)
        # Who ran it is said of each operator.
        self.warnings += [w for w in result.warnings if not w.startswith(_OF_DELEGATES)]
        by: By = "built-in kernels"
        if not left:
            by, left = self._taken_by(content, result)
        times = result.samples_ns
        return OperatorTime(operator, statistics.median(times), len(times), by, left)

    def _taken_by(self, content: bytes, result: Result) -> tuple[By, str]:
        """Who ran it, and why that is not known where it is not."""
        delegate = "xnnpack" if self._accelerator == "cpu" else self._accelerator
        if self._accelerator == "cpu" and not self.runtime.xnnpack:
            return "built-in kernels", ""
        reported = result.delegation.get("delegated")
        if reported is None:
            # A runtime that reports the length of its plan alone shows one node replaced by one as
            # no change; of two alike it shows that they became one, or that none was taken.
            reported = self._taken_of_two(content)
        if not isinstance(reported, int):
            return "unknown", "this runtime does not report what a delegate took"
        return (delegate if reported else "built-in kernels"), ""  # type: ignore[return-value]

    def _taken_of_two(self, content: bytes) -> int | None:
        try:
            result = self._run(cut.twice(content), self.runtime, runs=1)
        except TrialError as error:
            return 0 if error.code == "accelerator_unavailable" else None
        if any(_NONE_OF_TWO in warning for warning in result.warnings):
            return 0
        reported = result.delegation.get("delegated")
        return reported if isinstance(reported, int) else None

    @property
    def _accelerator(self) -> str:
        return self.runtime.accelerator

    def _run(self, content: bytes, runtime: Runtime, runs: int = _RUNS) -> Result:
        with self.job(content, runtime, runs) as job:
            return self._valid(job)

    @contextlib.contextmanager
    def job(self, content: bytes, runtime: Runtime, runs: int = _RUNS) -> Iterator[Job]:
        """A latency trial of a file, which is on a device that is fit."""
        sha256 = hashlib.sha256(content).hexdigest()
        file = self.scratch / f"{sha256}.tflite"
        with disk_errors(file):
            file.write_bytes(content)
        self._trials += 1
        brief = runs < _RUNS
        try:
            self.device.preflight(Cooldown(), lambda _: None)
            yield Job(
                protocol=contract.PROTOCOL_VERSION,
                trial=f"operator-{self._trials}",
                kind="latency",
                model=self.device.push(file, sha256),
                model_sha256=sha256,
                **runtime.in_job,
                warmup_seconds=0.0 if brief else _WARMUP_SECONDS,
                runs=runs,
                seconds=0.0 if brief else _SECONDS,
                max_seconds=_MAX_SECONDS,
            )
        finally:
            with contextlib.suppress(TrialError):
                self.device.discard(sha256)
            file.unlink(missing_ok=True)

    def _valid(self, job: Job) -> Result:
        """The result; of a trial that the device's state disturbed a second one's, or a warning."""
        try:
            return self.device.run(job, lambda _event: None, _TIMEOUT_SECONDS)
        except InvalidTrialError:
            try:
                return self.device.run(
                    replace(job, trial=f"{job.trial}~2"), lambda _event: None, _TIMEOUT_SECONDS
                )
            except InvalidTrialError as invalid:
                if invalid.result is None:
                    raise
                said = f"a trial was disturbed twice: {invalid.reason}"
                return replace(invalid.result, warnings=(*invalid.result.warnings, said))

    @staticmethod
    def _ensure_its_own(error: TrialError) -> None:
        """Raises what is no operator's failure."""
        if isinstance(error, InvalidTrialError) or (
            error.code not in (*_OF_AN_OPERATOR, "accelerator_unavailable")
        ):
            raise error
