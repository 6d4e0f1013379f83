"""Whether each device can run what a suite's recipes will make, asked before anything is trained.

Tiny files of each recipe's scheme (``compress/probes.py``) answer noise on each runtime of each
device. A runtime that cannot run one, dies of it, or answers it wrongly is not given that recipe.
What a runtime can do is asked once, and kept in the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from mobilebench.compress.probes import ProbeFile, file_steps, nearest, probe_file
from mobilebench.compress.recipe import Recipe
from mobilebench.devices.base import Device, InvalidTrialError, TrialError
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import BadInputError
from mobilebench.files import disk_errors, write_atomically
from mobilebench.models.layer_kinds import LayerKind, of_operators
from mobilebench.models.sources import Source, find_source, find_student
from mobilebench.models.spec import ModelSpec
from mobilebench.quality.parity import differs, tolerance
from mobilebench.records.device import AGENT, DeviceFacts
from mobilebench.records.run import Refusal
from mobilebench.records.runtime import Runtime
from mobilebench.runs.answers import Evaluation, Found, ask
from mobilebench.runs.debug_samples import samples_for
from mobilebench.runs.references import reference
from mobilebench.suite.schema import Suite
from mobilebench.tflite import interface, precision
from mobilebench.tflite.graph import parse, parse_called

_TIMEOUT_SECONDS = 120.0
#: Answers that were kept before are asked for anew: they were held against wrong reference answers
#: where 4-bit weights are -8.
_EDITION = 2
#: Failures that say what a runtime cannot do, rather than how it is today.
_CANNOT = ("model_unsupported", "model_corrupt", "output_nan")
#: These, too, if the same happens again.
_DIES = ("agent_died", "app_crashed")
#: What tells one processor or accelerator from another: its kernels differ.
_KERNELS = ("abi", "machine", "cpu", "model", "build", "board")

#: Is given what is asked, as ``asking phone: int8``.
OnQuestion = Callable[[str], None]


def refusals(
    suite: Suite,
    devices: Sequence[Device],
    facts: Sequence[DeviceFacts],
    cache: Path,
    on_question: OnQuestion = lambda _: None,
) -> tuple[Refusal, ...]:
    """Which recipes which runtimes cannot run, each with the nearest one that it can.

    Not asked are this machine's own runtime, on which every file is checked after each step;
    TensorFlow's program, which gives no answers; and recipes whose model's layers are known only
    when it is converted.

    Args:
        suite: what is to be compared.
        devices: its devices, greeted and fit.
        facts: what they said of themselves.
        cache: where answers are kept.
        on_question: is given the progress.
    """
    asked = [
        (spec, device, fact)
        for spec, device, fact in zip(suite.devices, devices, facts, strict=True)
        if fact.executor == AGENT and (spec.kind != "local" or spec.python)
    ]
    if not asked:
        return ()
    wanted = [
        (model, recipe, found)
        for model, recipe in suite.variants()
        if file_steps(recipe) and (found := _layer_kinds(model, recipe))
    ]
    refused: list[Refusal] = []
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch:
        for spec, device, fact in asked:
            for runtime in suite.runtimes:
                place = _Place(device, fact, runtime, cache, Path(scratch), on_question)
                for model, recipe, kinds in wanted:
                    if why := place.why_not(recipe, kinds):
                        refused.append(
                            Refusal(
                                device=spec.name,
                                runtime=runtime.name,
                                model=model.name,
                                recipe=recipe.name,
                                reason=why,
                            )
                        )
    return tuple(refused)


def _layer_kinds(model: ModelSpec, recipe: Recipe) -> tuple[LayerKind, ...]:
    """The kinds of layers of what a recipe makes a file of; empty where they are not known."""
    try:
        source = find_source(model.source)
        first = recipe.steps[0]
        if getattr(first, "needs_student", False):
            source = find_student(model, source) or source
        return _kinds_of(source)
    except (BadInputError, OSError):
        return ()  # what is wrong is said when it is made


def _kinds_of(source: Source) -> tuple[LayerKind, ...]:
    if source.kind != "tflite":
        return source.layer_kinds
    content = source.read()
    kinds = of_operators(operator.kind for operator in parse(content, source.text).operators)
    loops = any(
        operator.kind == "FULLY_CONNECTED"
        for graph in parse_called(content, source.text)
        for operator in graph.operators
    )
    return (*kinds, "recurrent") if loops else kinds


@dataclass(frozen=True)
class _Answer:
    """What became of a tiny file: the first kind of layer that is at fault, and why.

    ``fault`` is empty where there is none, or none is known; ``kind`` is None where it may be any.
    """

    kind: LayerKind | None = None
    fault: str = ""
    reason: str = ""


@dataclass
class _Place:
    """One runtime of one device."""

    device: Device
    facts: DeviceFacts
    runtime: Runtime
    cache: Path
    scratch: Path
    on_question: OnQuestion
    asked: int = 0
    _machine: list[LocalDevice] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As a sentence has it."""
        where = [] if self.runtime.accelerator == "cpu" else [f"on {self.runtime.label}"]
        where += [] if self.runtime.xnnpack else ["without XNNPACK"]
        return " ".join([self.facts.library, *where])

    def why_not(self, recipe: Recipe, kinds: tuple[LayerKind, ...]) -> str:
        """Why this recipe is not for this runtime, in one sentence; empty if it is."""
        file, answer = self._ask(recipe, kinds)
        if file is None or answer.kind is None:
            return ""
        operator, version = file.operators.get(answer.kind, (answer.kind, 0))
        what = f"{operator}, version {version}," if version else operator
        works = next((r.text for r in nearest(recipe) if self._runs(r, kinds)), None)
        advice = f"the nearest recipe that it runs is {works}" if works else "use float32"
        return f"{self.name} {answer.fault} {what} of {recipe.text} ({answer.reason}); {advice}"

    def _runs(self, recipe: Recipe, kinds: tuple[LayerKind, ...]) -> bool:
        if not file_steps(recipe):
            return True
        file, answer = self._ask(recipe, kinds)
        return file is not None and answer.kind is None

    def _ask(
        self, recipe: Recipe, kinds: tuple[LayerKind, ...]
    ) -> tuple[ProbeFile | None, _Answer]:
        """All kinds of layers in one file; where that does not run, each in a file of its own."""
        file = probe_file(recipe, kinds)
        if file is None:
            return None, _Answer()
        answer = self._cached(recipe, file)
        if not answer.fault or answer.kind is not None:
            return file, answer
        for kind in kinds if len(kinds) > 1 else ():
            single = probe_file(recipe, (kind,))
            if single is not None and (found := self._cached(recipe, single)).fault:
                return single, replace(found, kind=kind)
        return file, replace(answer, kind=kinds[0])

    def _cached(self, recipe: Recipe, file: ProbeFile) -> _Answer:
        """An answer of an earlier run, or the device is asked now."""
        known = {key: self.facts.info.get(key) for key in _KERNELS}
        if self.runtime.accelerator == "cpu":  # the phone's drivers take no part
            known = {key: known[key] for key in ("abi", "machine", "cpu")}
        if self.runtime.place:  # cores of one processor may have kernels of their own
            known["place"] = self.runtime.place
        address = json.dumps(
            [
                _EDITION,
                hashlib.sha256(file.content).hexdigest(),
                self.facts.runtime,
                self.facts.runtime_version,
                self.runtime.label,
                self.runtime.xnnpack,
                known,
            ]
        )
        path = self.cache / "runnable" / f"{hashlib.sha256(address.encode()).hexdigest()}.json"
        with contextlib.suppress(OSError, ValueError, TypeError):
            return _Answer(**json.loads(path.read_text("utf-8")))
        self.on_question(f"asking {self.device.name}: {recipe.text}")
        try:
            answer = self._tried(file)
        except TrialError:
            return _Answer()  # it is not known: the trials will say
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(asdict(answer)).encode())
        return answer

    def _tried(self, file: ProbeFile) -> _Answer:
        """Has the device answer, again where it died.

        Raises:
            TrialError: nothing is known, for what the device is like today.
        """
        deaths = 0
        while True:
            try:
                return self._answered(file)
            except InvalidTrialError:
                raise
            except TrialError as error:
                if error.code in _CANNOT:
                    # The runtime's own words, without who they are of: that is in the sentence.
                    reason = error.reason.rpartition("cannot run the model: ")[2]
                    return _Answer(None, "cannot run", reason)
                if error.code not in _DIES:
                    raise
                deaths += 1
                if deaths > 1:
                    return _Answer(None, "dies of", error.reason)

    def _answered(self, file: ProbeFile) -> _Answer:
        """The device's answers against the reference's.

        Raises:
            TrialError: there are none, of either.
        """
        where = "the tiny file"
        content, samples = samples_for(file.content, where, None, self.scratch)
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.scratch / f"{sha256}.tflite"
        with disk_errors(path):
            path.write_bytes(content)
        taken = interface.read(content, where)
        if not self._machine:
            self._machine.append(LocalDevice("this machine", None, self.cache))
        expected = reference(self._machine[0], "runnable", path, sha256, taken, samples, self.cache)
        if expected.reason:
            raise TrialError("outputs_unsupported", expected.reason)
        self.asked += 1
        try:
            job = Job(
                protocol=contract.PROTOCOL_VERSION,
                trial=f"runnable-{self.asked}",
                kind="latency",  # until the samples are sent
                model=self.device.push(path, sha256),
                model_sha256=sha256,
                **self.runtime.in_job,
            )
            evaluation = Evaluation(taken, samples, expected)
            found = ask(self.device, job, evaluation, lambda _: None, _TIMEOUT_SECONDS, 0)
        finally:
            with contextlib.suppress(TrialError):
                self.device.discard(sha256)
        return self._judged(file, content, found)

    def _judged(self, file: ProbeFile, content: bytes, found: Found) -> _Answer:
        """Which kind of layer it answers wrongly, if any."""
        if found.result is None:
            return _Answer(None, "cannot run", found.answers.parity_reason)
        if not found.answers.parity:
            raise TrialError("outputs_unsupported", found.answers.parity_reason)
        read = precision.read(content, "the tiny file")
        allowed = tolerance(read.arithmetic, self.runtime.accelerator, self.runtime.precision)
        for kind, parity, step in zip(file.kinds, found.answers.parity, read.steps, strict=True):
            if differs(parity, allowed, step=step):
                near = f"parity {parity.snr_db:.0f} dB of at least {allowed.snr_db:g}"
                return _Answer(kind, "gives wrong answers for", near)
        return _Answer()
