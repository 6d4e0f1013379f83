"""An Android phone as a device: the app is started for each trial and spoken to over adb."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from mobilebench_agent.contract import Event, Hello, Job, Result

from mobilebench.devices.adb.client import AdbDevice, AdbError, LinkLostError
from mobilebench.devices.adb.device_lines import DeviceLine
from mobilebench.devices.adb.lease import AdbPlace
from mobilebench.devices.adb.link import Link
from mobilebench.devices.adb.parse import parse_properties, parse_start
from mobilebench.devices.adb.remote_store import RemoteStore
from mobilebench.devices.adb.stream import AdbStream, Deadline
from mobilebench.devices.agent.conversation import Conversation
from mobilebench.devices.android import app, app_end, makers, phone_state
from mobilebench.devices.android.app import Apk
from mobilebench.devices.android.phone_state import Limits, PhoneState
from mobilebench.devices.base import (
    Cooldown,
    InvalidTrialError,
    OnEvent,
    OnWait,
    PreflightProblem,
    PreflightResult,
    TrialError,
)
from mobilebench.devices.cooldown import pause, report
from mobilebench.devices.sent_files import Removed
from mobilebench.devices.validity import allowed_warnings, ensure_valid, problems_during
from mobilebench.errors import BadInputError, DeviceError
from mobilebench.records.device import AGENT, DeviceFacts

_GREETING_SECONDS = 60.0
_START_SECONDS = 60.0
_SOCKET_SECONDS = 15.0

_POLL_SECONDS = 2.0
_WAKE_SECONDS = 0.5


class AndroidDevice:
    """A phone with the benchmark app.

    Args:
        name: how tables call it.
        device: where it is.
        apk: the app that belongs on it; None to use what is installed.
        limits: what it must keep to while something is measured.
        allowed: checks that may fail (``PreflightProblem.check``); every result says so.
        wait_seconds: how long a lost phone is waited for.
        cool_seconds: how long a hot phone is waited for before a run.
        unplugged: it must run on its battery, and be reached without a cable.
    """

    kind = "android"
    executor = AGENT

    def __init__(
        self,
        name: str,
        device: AdbDevice,
        apk: Apk | None,
        limits: Limits | None = None,
        allowed: frozenset[str] = frozenset(),
        wait_seconds: float = 120.0,
        cool_seconds: float = 600.0,
        unplugged: bool = False,
    ) -> None:
        self._name = name
        self._device = device
        self._apk = apk
        self._limits = limits or Limits()
        self._allowed = allowed
        self._cool = cool_seconds
        self._unplugged = unplugged
        self._store = RemoteStore(device)
        self._link = Link(name, device, wait_seconds, self._store.forget, self._has_started)
        self._sdk = 0
        self._maker = ""
        self._limits_at_rest: dict[int, float] = {}
        self._build_problems: tuple[PreflightProblem, ...] = ()

    @property
    def name(self) -> str:
        """How tables call it."""
        return self._name

    @property
    def place(self) -> AdbPlace:
        """Where its lease lies; see :class:`mobilebench.devices.lease.Leased`."""
        return AdbPlace(self._name, self._device)

    def probe(self) -> DeviceFacts:
        """Looks at the phone, installs the app, greets it; see ``mobilebench.devices.base.Device``.

        Raises:
            BadInputError: no such phone, no app on it, or the app cannot run models.
            DeviceError: the phone failed preflight; the message names every reason.
        """
        if self._unplugged and not DeviceLine(self._device.serial, "device").over_network:
            raise BadInputError(
                f"device {self._name!r} ({self._device.serial}) is on a cable, which charges it: "
                "connect it over the air for --unplugged (adb tcpip 5555; adb connect "
                "ADDRESS:5555, or the phone's wireless debugging), and pull the cable"
            )
        self._link.require()
        try:
            properties = self._look()
            if self._apk is not None:
                app.ensure_installed(self._device, self._apk)
            self._wait(Cooldown(seconds=self._cool), _nobody)
            hello = self._greet()
        except InvalidTrialError as error:
            raise DeviceError(error.reason, "unfit") from error
        except (TrialError, AdbError, BadInputError) as error:
            raise BadInputError(
                f"device {self._name!r} ({self._device.serial}): {error}"
            ) from error
        return DeviceFacts(
            self._name,
            self.kind,
            hello.agent,
            hello.runtime,
            hello.runtime_version,
            virtual=self._device.is_virtual() or hello.device.get("virtual") is True,
            emulated=hello.device.get("emulated") is True,
            info={
                **hello.device,
                **describe(properties),
                "serial": self._device.serial,
                **self._alignment(),
            },
            executor=self.executor,
        )

    def push(self, file: Path, sha256: str) -> str:
        """Sends the file unless it is there; see :class:`mobilebench.devices.base.Device`."""
        return self._link.keep(lambda: self._store.put(file, sha256))

    def discard(self, sha256: str) -> None:
        """Removes the file there; see :class:`mobilebench.devices.base.Device`."""
        self._store.discard(sha256)

    def clean(self, keep_bytes: int) -> Removed:
        """See :class:`mobilebench.devices.sent_files.KeepsFiles`."""
        try:
            return self._store.clean(keep_bytes)
        except AdbError as error:
            raise DeviceError(f"device {self._name!r} was lost: {error}", "lost") from error

    def outputs_folder(self, job: Job) -> str:  # noqa: ARG002 (the same for each)
        """The app's own choice: it may not write where the shell does."""
        return ""

    def pull(self, path: str, sha256: str, size: int, file: Path) -> None:
        """Fetches the app's file; see :class:`mobilebench.devices.base.Device`."""
        self._link.keep(lambda: self._store.pull(path, sha256, size, file, app.FILES))
        # They would be the next trial's.
        self._link.notes()

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:
        """Waits until its checks pass; see :class:`mobilebench.devices.base.Device`."""
        state = self._link.keep(
            lambda: self._wait(cooldown, on_wait), lambda: on_wait("waiting for the phone")
        )
        warnings = allowed_warnings(self._found(state), self._allowed)
        if cooldown.celsius is not None and state.battery.temperature is None:
            warnings += ("not cooled down: it does not report its battery's temperature",)
        return PreflightResult(warnings=warnings)

    def cpu_times(self) -> str:
        """See :class:`mobilebench.devices.base.ReportsCpuTimes`."""
        return self._link.keep(lambda: self._device.shell("cat", "/proc/stat").output)

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        """One trial in a fresh process; see :class:`mobilebench.devices.base.Device`.

        Raises:
            DeviceError: the phone did not come back.
        """
        result = self._link.keep(
            lambda: self._trial(job, on_event, timeout_seconds),
            lambda: on_event(Event(job.trial, "reconnect")),
        )
        notes = self._link.notes()
        return replace(result, warnings=result.warnings + notes) if notes else result

    # Before and after.

    def _has_started(self) -> bool:
        """Whether Android's services answer: adb is there long before them."""
        if self._device.shell("getprop", "sys.boot_completed").output.strip() != "1":
            return False
        battery = phone_state.read(self._device).battery
        return battery.level is not None or battery.present is False

    def _alignment(self) -> dict[str, int]:
        return {} if self._apk is None else {"library_alignment": self._apk.alignment}

    def _look(self) -> dict[str, str]:
        properties = parse_properties(self._device.shell("getprop").output)
        if properties.get("sys.boot_completed") != "1":
            raise BadInputError("it is still starting: try again in a minute")
        sdk = properties.get("ro.build.version.sdk", "")
        self._sdk = int(sdk) if sdk.isascii() and sdk.isdigit() else 0
        self._maker = properties.get("ro.product.manufacturer", "")
        self._build_problems = tuple(build_problems(properties))
        return properties

    def _wait(self, cooldown: Cooldown, on_wait: OnWait) -> PhoneState:
        """Waits until the checks pass and the phone is cool; ``on_wait`` may raise meanwhile.

        Raises:
            DeviceError: a check failed, and waiting does not help.
            InvalidTrialError: ``too_hot``: waiting took too long.
        """
        end = time.monotonic() + cooldown.seconds
        woken = refused = False
        while True:
            state = phone_state.read(self._device)
            reasons = [
                *(p for p in self._found(state) if p.check not in self._allowed),
                *phone_state.too_warm(state, cooldown),
            ]
            if not reasons:
                return state
            if not woken and any(reason.check in ("screen", "lock") for reason in reasons):
                # It wakes a screen and passes a lock without a secret; else its owner must.
                woken = True
                done = self._device.script("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")
                refused = makers.is_refusal(f"{done.output}\n{done.errors}")
                pause(_WAKE_SECONDS, lambda: on_wait("waking the screen"))
                continue
            sentences = "; ".join(reason.sentence for reason in reasons)
            if refused:
                sentences += f" (Android refused that to adb: {makers.switch(self._maker)})"
            failed = f"device {self._name!r} ({self._device.serial}) failed preflight: {sentences}"
            if not all(reason.passes for reason in reasons):
                raise DeviceError(failed, "unfit")
            if time.monotonic() >= end:
                raise InvalidTrialError("too_hot", failed)
            short = ", ".join(dict.fromkeys(reason.short for reason in reasons))
            pause(_POLL_SECONDS, partial(report, on_wait, short, end))

    def _found(self, state: PhoneState) -> tuple[PreflightProblem, ...]:
        found = (*self._build_problems, *phone_state.problems(state, self._sdk, self._limits))
        return (*found, *phone_state.plugged(state)) if self._unplugged else found

    def _trial(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        before = phone_state.read(self._device)
        try:
            result = self._measure(job, on_event, timeout_seconds)
        except TrialError as error:
            if error.code == "disturbed":
                raise InvalidTrialError(error.code, error.reason) from error
            raise
        after = phone_state.read(self._device)
        result = replace(result, metrics=result.metrics + phone_state.metrics(before, after))
        found = (
            *phone_state.plug_changed(before, after),
            *phone_state.problems(after, self._sdk, self._limits),
            *problems_during(result, self._limits_at_rest),
        )
        warnings = result.warnings + allowed_warnings(found, self._allowed)
        result = replace(result, warnings=warnings)
        ensure_valid(result, found, self._allowed)
        return result

    # The app.

    def _greet(self) -> Hello:
        with self._app(_GREETING_SECONDS) as conversation:
            return conversation.greet()

    def _measure(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
        with self._app(timeout_seconds) as conversation:
            conversation.greet()
            return conversation.carry_out(job, on_event)

    @contextmanager
    def _app(self, timeout_seconds: float) -> Iterator[Conversation]:
        """A fresh process of the app, and the conversation with it."""
        name = f"mobilebench-{secrets.token_hex(8)}"
        self._start(name)
        try:
            with self._connect(name) as stream:
                wire = _Wire(self._device, self._link, stream)
                try:
                    yield Conversation(wire, timeout_seconds)
                except TrialError as error:
                    if error.code in ("timeout", "protocol_violation"):
                        self._link.ensure_alive()
                    if error.code == "timeout" and app_end.hangs(self._device, wire.pids):
                        raise TrialError(
                            "app_hung", f"the app does not respond, says Android; {error.reason}"
                        ) from error
                    raise
        except (TrialError, KeyboardInterrupt):
            with suppress(AdbError):
                self._device.shell("am", "force-stop", app.PACKAGE, seconds=2)
            raise

    def _start(self, socket_name: str) -> None:
        words = ["am", "start", "-W", "-S", "-n", app.ACTIVITY, "--es", "socket", socket_name]
        done = self._device.shell(*words, seconds=_START_SECONDS)
        start = parse_start(f"{done.output}\n{done.errors}")
        if start.status == "timeout":
            raise TrialError("start_failed", "the app did not come to the screen in time")
        if start.status != "ok":
            raise TrialError("start_failed", f"the app did not start: {start.reason}")
        if start.activity and not start.activity.startswith(f"{app.PACKAGE}/"):
            raise TrialError(
                "start_failed", f"{start.activity} came to the screen in the app's place"
            )

    def _connect(self, name: str) -> AdbStream:
        """A stream to the app's abstract socket, by way of the adb server.

        The server opens it directly, so that no port has to be forwarded, found free, and given
        back; and it is the same for a server on another machine.
        """
        deadline = Deadline(_SOCKET_SECONDS, "connecting to the app")
        while True:
            try:
                return self._device.open(f"localabstract:{name}", deadline)
            except LinkLostError:
                raise
            except AdbError as error:
                if time.monotonic() < deadline.end - 1:
                    time.sleep(0.02)
                    continue
                self._link.ensure_alive()
                raise TrialError(
                    "start_failed", f"the app did not open its socket: {error}"
                ) from error


def _nobody(_: str) -> None:
    """Reports to nobody what is waited for."""


class _Wire:
    """The stream to the app, for a conversation."""

    def __init__(self, device: AdbDevice, link: Link, stream: AdbStream) -> None:
        self._device = device
        self._link = link
        self._stream = stream
        self.pids: frozenset[int] = frozenset()

    def receive(self, seconds: float) -> bytes | None:
        return self._stream.within(seconds)

    def send(self, line: bytes) -> None:
        # While it lives: later Android is asked how these very processes ended.
        self.pids = app_end.running(self._device)
        # The stream stays open: adb knows no half-closed one.
        self._stream.send(line, Deadline(10, "sending the job"))

    def died(self) -> TrialError:
        self._link.ensure_alive()
        found = app_end.explain(self._device, self.pids)
        if found is None:
            raise LinkLostError("the connection to the app broke, and the app is alive")
        return found


def describe(properties: dict[str, str]) -> dict[str, str]:
    """What a phone's properties say for a person: model, Android, processor."""
    named = {
        "manufacturer": "ro.product.manufacturer",
        "model": "ro.product.model",
        "android": "ro.build.version.release",
        "sdk": "ro.build.version.sdk",
        "abi": "ro.product.cpu.abi",
        "build": "ro.build.fingerprint",
        "serialno": "ro.serialno",
    }
    facts = {name: properties[key] for name, key in named.items() if properties.get(key)}
    maker = properties.get("ro.soc.manufacturer", "")
    chip = properties.get("ro.soc.model") or properties.get("ro.board.platform", "")
    if chip:
        facts["soc"] = f"{maker} {chip}".strip()
    return facts


def build_problems(properties: dict[str, str]) -> Iterator[PreflightProblem]:
    """Why a system is not one that a user's phone has."""
    emulated = {"ro.kernel.qemu": "1", "ro.boot.qemu": "1"}
    if any(properties.get(key) == value for key, value in emulated.items()) or properties.get(
        "ro.hardware"
    ) in ("goldfish", "ranchu", "cuttlefish"):
        yield PreflightProblem("emulator", "it is an emulator")
    if properties.get("ro.debuggable") == "1" or properties.get("ro.build.type") in (
        "eng",
        "userdebug",
    ):
        yield PreflightProblem("debuggable", "its system is a debuggable build, which is slower")
