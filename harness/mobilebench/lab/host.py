"""What a lab host does when a client asks: functions that Dask runs in the host's process.

Nothing here raises: an error of ours travels as an :class:`Answer`, whose sentence and code the
client raises again.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import IO, Any, ParamSpec

from mobilebench import clock
from mobilebench.compress.service import Compressor
from mobilebench.devices.base import Cooldown, Device, InvalidTrialError, TrialError
from mobilebench.devices.found import Found
from mobilebench.devices.lease import Holder
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, DeviceError, MobileBenchError
from mobilebench.lab import shard
from mobilebench.runs import own_code
from mobilebench.runs.leases import Leases, Patience
from mobilebench.runs.selection import open_device
from mobilebench.store.folder import TRIALS
from mobilebench.text import file_name
from mobilebench.version import __version__

_POLL_SECONDS = 0.3
#: Ended lanes that a host remembers, of all its devices.
_RECENT = 50
#: For so long a single call waits for somebody with a cable of their own.
_CALL_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Answer:
    """What a function came to: a value, or an error by the name of its type and its arguments."""

    value: Any = None
    error: str = ""
    arguments: tuple[Any, ...] = ()

    def or_raise(self) -> Any:
        """The value; raises the error if there is one."""
        if not self.error:
            return self.value
        raise {
            "InvalidTrialError": InvalidTrialError,
            "TrialError": TrialError,
            "DeviceError": DeviceError,
            "BadInputError": BadInputError,
        }[self.error](*self.arguments)


#: Why a lane ended before its end, as ``error`` and ``code``; both are empty if it did not.
Outcome = dict[str, str]


@dataclass
class Running:
    """A lane under way: its process, and for whom; its outcome once that is known.

    ``serial`` is how adb knew the device when it began, and ``has_moved`` that it is known by
    another one now, so that the lane is begun again.
    """

    token: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    device: str
    who: str
    run: str
    since: str
    total: int
    serial: str
    has_moved: bool = False
    outcome: Outcome | None = None


@dataclass
class Host:
    """This lab host: the one object of its process that changes.

    Attributes:
        name: in the lab.
        say: is given what it does for clients, in words for whoever runs it.
        has_joined: whether it was ever in the lab.
        found: its devices by identity.
        opened: those that single calls use, by address, name and the checks that may fail.
        lanes: what is under way.
        ended: the outcome of what has ended, by the token of the client that asked for it.
        making: what compresses for a client just now, by its token.
        stopped: tokens of clients that want nothing compressed any more.
        recent: the lanes that ended last, as :func:`look` has them, the newest first.
        lock: is held to change ``lanes``, ``ended``, ``making`` and ``stopped``.
    """

    name: str
    say: Callable[[str], None] = lambda _: None
    has_joined: bool = False
    found: dict[str, Found] = field(default_factory=dict)
    opened: dict[tuple[str, str, tuple[str, ...]], Device] = field(default_factory=dict)
    lanes: dict[str, Running] = field(default_factory=dict)
    ended: dict[str, Outcome] = field(default_factory=dict)
    making: dict[str, list[Compressor]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_RECENT))
    lock: threading.Lock = field(default_factory=threading.Lock)


_here: list[Host] = []

Parameters = ParamSpec("Parameters")


def take_part_as(host: Host) -> None:
    """Makes this process that host from now on."""
    _here[:] = [host]


def me() -> str:
    """Who asks, for others who wait: ``ann@laptop``."""
    holder = Holder.here()
    return f"{holder.user}@{holder.host}"


def identity(found: Found) -> str:
    """What a device is known by in a lab, whatever its adb serial: a word."""
    return file_name(found.identity or found.serial)


def this_host() -> Host:
    """Who this process is in its lab."""
    return _here[0]


def answering(function: Callable[Parameters, Any]) -> Callable[Parameters, Answer]:
    """A function whose errors travel: what it gives is an ``Answer``."""

    @wraps(function)
    def answer(*arguments: Parameters.args, **named: Parameters.kwargs) -> Answer:
        try:
            return Answer(function(*arguments, **named))
        except InvalidTrialError as error:
            return Answer(
                error="InvalidTrialError",
                arguments=(error.code, error.reason, error.result, error.heat),
            )
        except TrialError as error:
            return Answer(error="TrialError", arguments=(error.code, error.reason))
        except DeviceError as error:
            return Answer(error="DeviceError", arguments=(str(error), error.code))
        except MobileBenchError as error:
            return Answer(error="BadInputError", arguments=(str(error),))

    return answer


@answering
def look() -> dict[str, Any]:
    """What is plugged in here, who measures on it, and who did last."""
    host = _here[0]
    busy = {
        lane.device: {
            "lane": lane_name,
            "who": lane.who,
            "run": lane.run,
            "since": lane.since,
            "done": _finished(lane_name),
            "total": lane.total,
        }
        for lane_name, lane in list(host.lanes.items())
        if lane.process.poll() is None
    }
    return {
        "host": host.name,
        "version": __version__,
        "devices": [
            {
                "id": key,
                "serial": found.serial,
                "model": found.model,
                "android": found.android,
                "soc": found.soc,
                "temperature": found.temperature,
                "battery": found.battery,
                "advice": found.advice,
                "virtual": found.virtual,
                "busy": busy.get(key),
            }
            for key, found in sorted(host.found.items())
        ],
        "recent": list(host.recent),
    }


@answering
def missing(names: Collection[str]) -> list[str]:
    """Which files are not here yet."""
    return shard.missing(names)


@answering
def put(name: str, offset: int, data: bytes, is_last: bool, sender: str) -> None:
    """Keeps a part of a file."""
    shard.put(name, offset, data, is_last, sender)


@answering
def call(device: str, name: str, allow: tuple[str, ...], method: str, *arguments: Any) -> Any:
    """Does one thing with a device, as :class:`mobilebench.devices.base.Device` has it.

    Args:
        device: its identity here.
        name: how the client's tables call it.
        allow: checks that it may fail.
        method: what is done: ``probe``, ``preflight``, ``push``, ``discard``, ``outputs_folder``,
            ``pull`` or ``run``.
        arguments: of it, as far as they travel.
    """
    opened = _opened(device, name, allow)
    if method == "push":
        (file, sha256) = arguments
        with _leases() as leases:
            leases.take(opened)
            return opened.push(shard.file_here(file), sha256)
    if method == "preflight":
        (cooldown,) = arguments
        assert isinstance(cooldown, Cooldown)
        return opened.preflight(cooldown, lambda _: None)
    if method == "run":
        job, timeout_seconds = arguments
        with _leases() as leases:
            leases.take(opened)
            return opened.run(job, lambda _: None, timeout_seconds)
    if method == "pull":
        path, sha256, size = arguments
        with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch:
            file = Path(scratch) / "outputs"
            opened.pull(path, sha256, size, file)
            return file.read_bytes()
    simple: dict[str, Callable[..., Any]] = {
        "probe": opened.probe,
        "discard": opened.discard,
        "outputs_folder": opened.outputs_folder,
    }
    if method not in simple:
        raise BadInputError(f"there is no {method!r} to be done with a device")
    return simple[method](*arguments)


def _leases() -> Leases:
    # What was pushed is for the calls that follow.
    return Leases(Patience(device_seconds=_CALL_PATIENCE_SECONDS), leaves_files=True)


@dataclass(frozen=True)
class Lane:
    """A lane as a client asks for it.

    Attributes:
        name: what distinguishes it from all others.
        token: what distinguishes this wish from earlier and later ones for the same lane; a task
            that comes again with it, after a connection was lost, does nothing twice.
        document: its ``run.json``; its only device is still the client's.
        device: the device's identity here.
        who: for whom.
        retry_failed: whether trials that failed are repeated.
        earlier: attempts that the client has, and this host perhaps not.
    """

    name: str
    token: str
    document: Mapping[str, Any]
    device: str
    who: str
    retry_failed: bool = False
    earlier: tuple[shard.Attempt, ...] = ()


@answering
def carry_out(lane: Lane) -> Outcome:
    """Carries out a lane, or waits for the end of what an earlier task with its token began.

    One that is under way by another token is waited for first.
    """
    from distributed import get_worker

    host = _here[0]
    worker = get_worker()
    reported = -1
    while True:
        with host.lock:
            running = host.lanes.get(lane.name)
            if running is not None and running.process.poll() is not None:
                _end(lane.name, running)
                running = None
            if (outcome := host.ended.get(lane.token)) is not None:
                return outcome
            if running is None:
                running = _started(lane)
                host.lanes[lane.name] = running
        while running.process.poll() is None:
            if (size := _size(lane.name)) != reported:
                worker.log_event(f"lane-{lane.name}", {"bytes": size})
                reported = size
            _follow_device(running)
            time.sleep(_POLL_SECONDS)
        with host.lock:
            _end(lane.name, running)


def _follow_device(running: Running) -> None:
    """Ends the process of a lane whose device came back under another serial number of adb's."""
    host = _here[0]
    found = host.found.get(running.device)
    if found is None or not found.ready or running.serial in (found.serial, *found.also):
        return
    with host.lock:
        if not running.has_moved:
            running.has_moved = True
            _close(running)


@answering
def lacking(lane: str, names: Collection[str]) -> list[str]:
    """Which of these attempts this host has not got."""
    return shard.lacking(lane, names)


@answering
def attempts(lane: str, known: Collection[str]) -> list[shard.Attempt]:
    """The finished attempts of a lane that the client does not know yet."""
    return shard.attempts(lane, known)


@answering
def stop(lane: str, token: str) -> None:
    """Ends a lane as by Ctrl-C: what is finished is kept. One that has not begun never will."""
    host = _here[0]
    with host.lock:
        running = host.lanes.get(lane)
        if running is None or running.token != token:
            host.ended.setdefault(token, {"error": "it was stopped", "code": ""})
        if running is not None:
            running.has_moved = False
            _close(running)


def end_all(host: Host) -> None:
    """Ends all lanes of a host that leaves, and waits for them; what it compresses, too."""
    with host.lock:
        making = [compressor for under_way in host.making.values() for compressor in under_way]
    for compressor in making:
        compressor.close()
    running = list(host.lanes.values())
    for lane in running:
        _close(lane)
    for lane in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            lane.process.wait(timeout=20)
        if lane.process.poll() is None:
            lane.process.kill()


def _close(running: Running) -> None:
    assert running.process.stdin is not None
    with contextlib.suppress(OSError):
        running.process.stdin.close()


def _opened(device: str, name: str, allow: tuple[str, ...]) -> Device:
    host = _here[0]
    found = _found(device)
    key = (_place(found), name, tuple(sorted(allow)))
    opened = host.opened.get(key)
    if opened is None:
        opened = host.opened[key] = open_device(_spec(found, name, allow))
    return opened


def _place(found: Found) -> str:
    return found.address or found.serial


def _found(device: str) -> Found:
    host = _here[0]
    try:
        found = host.found[device]
    except KeyError as error:
        raise DeviceError(f"{device} is no longer plugged into {host.name}", "lost") from error
    if not found.ready:
        raise DeviceError(f"{device} of {host.name} is {found.advice}", "unfit")
    return found


def _spec(found: Found, name: str, allow: tuple[str, ...]) -> DeviceSpec:
    return DeviceSpec.model_validate(
        {"name": name, "kind": found.kind, "address": found.address, "allow": allow}
    )


def _started(lane: Lane) -> Running:
    host, found = _here[0], _found(lane.device)
    # What single calls know of the device is no longer true when the lane has ended. Calls for
    # other devices add theirs meanwhile.
    for key in [key for key in tuple(host.opened) if key[0] == _place(found)]:
        host.opened.pop(key, None)
    (asked,) = lane.document["suite"]["devices"]
    spec = _spec(found, asked["name"], tuple(asked.get("allow", ())))
    own = {key: asked[key] for key in ("power_counter", "battery_current") if asked.get(key)}
    local = {**spec.model_dump(exclude_defaults=True), **own}
    suite = {**lane.document["suite"], "devices": [local]}
    folder = shard.open_shard(lane.name, {**lane.document, "suite": suite})
    shard.restore(folder, lane.earlier)
    # The address is one that this host found by itself.
    own_code.trust(folder.path, [spec])
    errors = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mobilebench.lab.lane", str(folder.path)),
            *(["--retry-failed"] if lane.retry_failed else []),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    run = folder.run()
    return Running(
        lane.token,
        process,
        errors,
        lane.device,
        lane.who,
        run.name,
        clock.now("seconds"),
        len(run.plan),
        found.serial,
    )


def _size(lane: str) -> int:
    """Of a lane's trials in bytes: what is looked at often, beside what is measured."""
    try:
        return (shard.shard_path(lane) / TRIALS).stat().st_size
    except OSError:
        return 0


def _finished(lane: str) -> int:
    """How many lines a lane's folder has."""
    try:
        return (shard.shard_path(lane) / TRIALS).read_bytes().count(b"\n")
    except OSError:
        return 0


def _end(lane: str, running: Running) -> None:
    """Keeps the outcome of a process that has ended; several tasks may have waited for it.

    That of one whose device has moved is none: the lane is begun again where the device is now.
    """
    host = _here[0]
    if running.outcome is None:
        running.outcome = _outcome(running)
        if not running.has_moved:
            host.ended.setdefault(running.token, running.outcome)
            host.recent.appendleft(
                {
                    "device": running.device,
                    "who": running.who,
                    "run": running.run,
                    "since": running.since,
                    "ended": clock.now("seconds"),
                    "done": _finished(lane),
                    "total": running.total,
                    "error": running.outcome["error"],
                }
            )
        _close(running)
        assert running.process.stdout is not None
        running.process.stdout.close()
        running.errors.close()
    if host.lanes.get(lane) is running:
        del host.lanes[lane]


def _outcome(running: Running) -> Outcome:
    assert running.process.stdout is not None
    lines = running.process.stdout.read().splitlines()
    with contextlib.suppress(ValueError, IndexError):
        said = json.loads(lines[-1])
        return {"error": str(said["error"]), "code": str(said["code"])}
    running.errors.seek(0)
    words = running.errors.read().decode("utf-8", "replace").strip().splitlines()
    last = words[-1] if words else f"exit code {running.process.returncode}"
    return {"error": f"its process on {_here[0].name} ended: {last[:300]}", "code": "lost"}
