"""A device of a lab, as a run sees it; its own host measures, and this one collects."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import replace
from pathlib import Path

from mobilebench_agent.contract import Job, Result

from mobilebench.compress.artifact import Progress
from mobilebench.compress.recipe import Recipe
from mobilebench.devices import interrupt
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.devices.found import Found
from mobilebench.devices.kind import DeviceKind
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, DeviceError, InvalidRunError, first_line
from mobilebench.files import write_atomically
from mobilebench.lab import host, shard
from mobilebench.lab.client import DEVICE, HOST, LOOK_SECONDS, SCHEME, lab_at, lane_name, split
from mobilebench.lab.making import make_in_lab
from mobilebench.models.array import Array
from mobilebench.models.spec import ModelSpec
from mobilebench.records.device import DeviceFacts
from mobilebench.records.run import Run
from mobilebench.records.trial import PlannedTrial, read_trial
from mobilebench.runs.session import OnRecord, OnTrial
from mobilebench.store import samples
from mobilebench.store.folder import RunFolder
from mobilebench.text import plain

#: For so long a lane waits for a scheduler or host that has gone.
_AWAY_SECONDS = 600.0
#: After so long a time with a host that answers, waiting begins anew.
_LASTING_SECONDS = 60.0
#: A host that says nothing is asked so often whether it is still there.
_ASK_SECONDS = 30.0
_COLLECT_SECONDS = 60.0
_POLL_SECONDS = 1.0
_STEP_SECONDS = 0.25
_KIND = "lab"


class LabDevice:
    """Implements :class:`mobilebench.devices.base.Device`; each call is a task on its host."""

    def __init__(self, spec: DeviceSpec) -> None:
        address, self._host, self._id = split(spec.address)
        self._name, self._allow = spec.name, tuple(spec.allow)
        self._lab = lab_at(address)
        self._resource = f"{DEVICE}{self._host}/{self._id}"

    @property
    def name(self) -> str:
        """How tables call it."""
        return self._name

    def probe(self) -> DeviceFacts:
        """Greets the agent, once nobody else measures there."""
        at = next((at for at in self._lab.hosts() if at.name == self._host), None)
        if at is None:
            raise DeviceError(
                f"host {self._host} is not in the lab at {self._lab.address}", "unavailable"
            )
        at.ensure_same_version()
        if not any(device["id"] == self._id for device in at.devices):
            raise DeviceError(f"{self._id} is not plugged into lab host {self._host}", "lost")
        facts = self._call("probe")
        assert isinstance(facts, DeviceFacts)
        return facts

    def push(self, file: Path, sha256: str) -> str:
        """Sends a file to the host, and from there to the device."""
        suffix = "".join(c for c in file.suffix if c.isascii() and c.isalnum()) or "bin"
        name = f"{sha256}.{suffix}"
        self._lab.send(self._host, {name: file})
        return str(self._call("push", name, sha256))

    def discard(self, sha256: str) -> None:
        """Removes a file from the device."""
        self._call("discard", sha256)

    def outputs_folder(self, job: Job) -> str:
        """Where the agent writes the outputs file of this job."""
        return str(self._call("outputs_folder", job))

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Fetches an outputs file through the host."""
        content = self._call("pull", path, sha256, size)
        assert isinstance(content, bytes)
        write_atomically(file, content)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """Checks before a trial, made by the host."""
        on_wait("")
        result = self._call("preflight", cooldown)
        assert isinstance(result, PreflightResult)
        return result

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """Carries out one trial by the host."""
        del on_event
        result = self._call("run", job, timeout_seconds)
        assert isinstance(result, Result)
        return result

    def _call(self, method: str, *arguments: object) -> object:
        return self._lab.ask(
            self._resource,
            host.call,
            self._id,
            self._name,
            self._allow,
            method,
            *arguments,
            on_wait=self._say_who_is_there,
        )

    def _say_who_is_there(self, own: str = "") -> None:
        with contextlib.suppress(BadInputError, DeviceError):
            for at in self._lab.hosts():
                for device in at.devices:
                    busy = device["busy"]
                    is_here = (at.name, device["id"]) == (self._host, self._id)
                    if is_here and busy and busy["lane"] != own:
                        text = (
                            f"waiting for {self._host}/{self._id}: {busy['who']} "
                            f"measures {busy['run']} there since {busy['since']} "
                            f"({busy['done']} of {busy['total']} trials)"
                        )
                        print(f"mobilebench: {plain(text)}", file=sys.stderr)

    # Variants on their way to the cache: see mobilebench.runs.session.RemoteMaker.

    def make_variants(
        self,
        variants: Sequence[tuple[ModelSpec, Recipe]],
        seed: int,
        cache: Path,
        on_progress: Callable[[Progress], None],
        packings: Collection[str],
    ) -> None:
        """Has the lab's hosts that compress make them, as far as they can."""
        make_in_lab(self._lab, variants, seed, cache, on_progress, packings)

    # A plan as a whole: see mobilebench.runs.session.RemoteSession.

    def carry_out(
        self,
        folder: RunFolder,
        plan: Sequence[PlannedTrial],
        again: Set[str],
        on_trial: OnTrial,
        on_record: OnRecord,
        stop: threading.Event,
    ) -> None:
        """Has the host carry the plan out, and appends each attempt to the folder as it ends.

        The host goes on if this process dies; a resume collects what it has done meanwhile.

        Args:
            folder: the run, held by the caller for writing.
            plan: this device's trials in order.
            again: trials that failed and are repeated.
            on_trial: is given each trial that is next.
            on_record: is given each attempt that ended.
            stop: set by somebody else, it ends the lane on the host, too.

        Raises:
            KeyboardInterrupt: ``stop`` was set.
            DeviceError: the device or the lab was lost, or is unfit.
            BadInputError: the host refuses the lane.
        """
        run = folder.run()
        if scored := [model.name for model in run.models if model.hooks]:
            raise BadInputError(
                f"the answers of {', '.join(scored)} are scored by functions of a file that is "
                "here: such models are measured on this machine's own devices"
            )
        lane = host.Lane(
            lane_name(folder.path, self._name),
            secrets.token_hex(16),
            _own(run, self._name, plan).document(),
            self._id,
            host.me(),
            bool(again),
        )
        collector = _Collector(folder, plan, again, on_trial, on_record)
        try:
            outcome = self._followed(lane, folder, collector, stop)
        except KeyboardInterrupt:
            self._stop(lane)
            raise
        if outcome["error"]:
            raise DeviceError(plain(outcome["error"]), outcome["code"] or "lost")
        if left := collector.left():
            raise DeviceError(
                f"lab host {self._host} ended with {left} of {len(plan)} trials not measured",
                "lost",
            )

    def _followed(
        self, lane: host.Lane, folder: RunFolder, collector: _Collector, stop: threading.Event
    ) -> host.Outcome:
        """What a lane came to, whoever of the lab went and came back meanwhile."""
        files = shard.files_of(folder.run(), folder)
        deadline = time.monotonic() + _AWAY_SECONDS
        while True:
            began = collector.answered = time.monotonic()
            try:
                # A host that comes back may have lost them.
                self._lab.send(self._host, files)
                return self._follow(self._with_history(lane, folder, collector), collector, stop)
            except DeviceError as error:
                # The scheduler or the host has gone; the lane's folder has not.
                if stop.is_set():
                    raise KeyboardInterrupt from error
                now = time.monotonic()
                if collector.count or collector.answered - began > _LASTING_SECONDS:
                    deadline, collector.count = now + _AWAY_SECONDS, 0
                if now > deadline:
                    raise DeviceError(str(error), "lost") from error
                stop.wait(_POLL_SECONDS)

    def _with_history(self, lane: host.Lane, folder: RunFolder, collector: _Collector) -> host.Lane:
        """The lane with what was measured before, as far as its host does not know of it."""
        names = self._lab.ask(
            *(HOST + self._host, host.lacking, lane.name, collector.kept()),
            seconds=_COLLECT_SECONDS,
        )
        return replace(lane, earlier=tuple(shard.history(folder, names)))

    def _follow(
        self, lane: host.Lane, collector: _Collector, stop: threading.Event
    ) -> host.Outcome:
        from distributed import fire_and_forget

        run = str(lane.document["name"])
        future = self._lab.submit(self._resource, host.carry_out, lane, lane=lane.name, run=run)
        # It does not end with this process.
        fire_and_forget(future)
        changed = threading.Event()
        end = self._lab.watch_lane(lane.name, future, changed)
        begin, is_reported = time.monotonic(), False
        try:
            self._collect(lane, collector)
            while not future.done():
                is_due = time.monotonic() - collector.answered > _ASK_SECONDS
                if changed.wait(_STEP_SECONDS) or is_due:
                    changed.clear()
                    self._collect(lane, collector)
                if stop.is_set():
                    raise KeyboardInterrupt
                if not is_reported and not collector.count and time.monotonic() - begin > 5:
                    is_reported = True
                    self._say_who_is_there(lane.name)
            while self._collect(lane, collector):
                pass
            answer = self._result(future)
            assert isinstance(answer, host.Answer)
            outcome = answer.or_raise()
            return {"error": str(outcome["error"]), "code": str(outcome["code"])}
        except KeyboardInterrupt:
            self._lab.withdraw(future)
            raise
        finally:
            end()

    def _stop(self, lane: host.Lane) -> None:
        """Ends the lane on its host; one in the queue never begins."""
        with contextlib.suppress(KeyboardInterrupt):
            # The one interrupt of this thread: the host is still to be asked.
            interrupt.check()
        with contextlib.suppress(DeviceError):
            resource = HOST + self._host
            self._lab.ask(resource, host.stop, lane.name, lane.token, seconds=LOOK_SECONDS)

    def _collect(self, lane: host.Lane, collector: _Collector) -> int:
        known = sorted(collector.known)
        resource = HOST + self._host
        found = self._lab.ask(resource, host.attempts, lane.name, known, seconds=_COLLECT_SECONDS)
        assert isinstance(found, list)
        collector.answered = time.monotonic()
        return collector.collect(found)

    def _result(self, future: object) -> object:
        try:
            return future.result(timeout=_POLL_SECONDS)  # type: ignore[attr-defined]
        except TrialError:
            raise
        except Exception as error:  # Dask's own, of many kinds: the scheduler or host has gone
            raise DeviceError(
                f"the lab at {self._lab.address} was lost: {first_line(error)}", "lost"
            ) from error


class _Collector:
    """Puts what a host measured into the client's own folder, each attempt once."""

    def __init__(
        self,
        folder: RunFolder,
        plan: Sequence[PlannedTrial],
        again: Set[str],
        on_trial: OnTrial,
        on_record: OnRecord,
    ) -> None:
        self._folder, self._plan = folder, plan
        self._on_trial, self._on_record = on_trial, on_record
        attempts = folder.attempts()
        self.known = {record.attempt_name for record in attempts}
        self._done = {record.trial for record in attempts if record.is_final} - set(again)
        self._names = {trial.trial for trial in plan}
        self.count = 0
        #: When the host last answered.
        self.answered = time.monotonic()
        self._next()

    def kept(self) -> list[str]:
        """The attempts at the plan's trials that are in the client's folder, by name."""
        records = self._folder.attempts()
        return [record.attempt_name for record in records if record.trial in self._names]

    def left(self) -> int:
        """How many trials of the plan are not finished."""
        return len(self._names - self._done)

    def collect(self, found: Sequence[shard.Attempt]) -> int:
        """Keeps attempts; returns how many there were.

        Raises:
            InvalidRunError: what came is no attempt at a trial of this plan.
        """
        for attempt in found:
            try:
                record = read_trial(json.loads(attempt.line))
                times = samples.read_part(io.BytesIO(attempt.times)) if attempt.times else None
                arrays = _arrays(attempt.answers) if attempt.answers else {}
            except (ValueError, BadInputError) as error:
                raise InvalidRunError(
                    f"a lab host sent what is no trial: {first_line(error)}"
                ) from error
            if record.trial not in self._names or record.attempt_name in self.known:
                # It is not asked for again.
                self.known.add(record.attempt_name)
                continue
            if arrays:
                self._folder.write_answers(record.attempt_name, arrays)
            self._folder.append(record, times)
            self.known.add(record.attempt_name)
            self.count += 1
            self._on_record(record)
            if record.is_final:
                self._done.add(record.trial)
            self._next()
        return len(found)

    def _next(self) -> None:
        trial = next((t for t in self._plan if t.trial not in self._done), None)
        if trial is not None:
            self._on_trial(trial)


def _arrays(content: bytes) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(content))
    except SafetensorError as error:
        raise ValueError(first_line(error)) from error


def _own(run: Run, device: str, plan: Sequence[PlannedTrial]) -> Run:
    """The part of a run that is one device's lane."""
    suite = dict(run.suite.document)
    suite["devices"] = [table for table in suite["devices"] if table["name"] == device]
    stored = type(run.suite).model_validate(suite)
    return run.model_copy(
        update={
            "suite": stored,
            "plan": tuple(plan),
            "devices": tuple(facts for facts in run.devices if facts.name == device),
            "missing": (),
            "gate": None,
            "state": "interrupted",
        }
    )


def _locate(address: str) -> Found | None:
    if not address.startswith(SCHEME):
        return None
    lab, name, key = split(address)
    for at in lab_at(lab).hosts():
        for device in at.devices:
            if (at.name, device["id"]) == (name, key):
                at.ensure_same_version()
                return Found(
                    f"{name}/{key}",
                    kind=_KIND,
                    address=address,
                    model=str(device["model"]),
                    advice=str(device["advice"]),
                    state="device" if not device["advice"] else "unfit",
                )
    raise BadInputError(f"the lab at {lab} has no device {name}/{key}: see mobilebench lab status")


KIND = DeviceKind(
    _KIND,
    "a device of a lab",
    LabDevice,
    locate=_locate,
    takes=frozenset({"address"}),
)
