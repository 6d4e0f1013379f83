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
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import IO, Any, ParamSpec

from mobilebench import clock
from mobilebench.devices.base import Cooldown, Device, InvalidTrialError, TrialError
from mobilebench.devices.found import Found
from mobilebench.devices.lease import Holder
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import BadInputError, DeviceError, MobileBenchError
from mobilebench.lab import shard
from mobilebench.runs import own_code
from mobilebench.runs.selection import open_device
from mobilebench.store.folder import TRIALS
from mobilebench.text import file_name
from mobilebench.version import __version__

_POLL_SECONDS = 0.3


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


@dataclass
class Running:
    """A lane under way: its process, and for whom."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    device: str
    who: str
    run: str
    since: str
    total: int


@dataclass
class Host:
    """This lab host: the one object of its process that changes."""

    name: str
    found: dict[str, Found] = field(default_factory=dict)
    opened: dict[tuple[str, str], Device] = field(default_factory=dict)
    lanes: dict[str, Running] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_here: list[Host] = []

Parameters = ParamSpec("Parameters")


def be(host: Host) -> None:
    """This process is that host from now on."""
    _here[:] = [host]


def me() -> str:
    """Who asks, for others who wait: ``ann@laptop``."""
    holder = Holder.here()
    return f"{holder.user}@{holder.host}"


def identity(found: Found) -> str:
    """What a device is known by in a lab, whatever its adb serial: a word."""
    return file_name(found.identity or found.serial)


def _answering(function: Callable[Parameters, Any]) -> Callable[Parameters, Answer]:
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


@_answering
def look() -> dict[str, Any]:
    """What is plugged in here, and who measures on it."""
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
    }


@_answering
def missing(names: Collection[str]) -> list[str]:
    """Which files are not here yet."""
    return shard.missing(names)


@_answering
def put(name: str, offset: int, data: bytes, is_last: bool) -> None:
    """Keeps a part of a file."""
    shard.put(name, offset, data, is_last)


@_answering
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
        return opened.push(shard.file_here(file), sha256)
    if method == "preflight":
        (cooldown,) = arguments
        assert isinstance(cooldown, Cooldown)
        return opened.preflight(cooldown, lambda _: None)
    if method == "run":
        job, timeout_seconds = arguments
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


@_answering
def carry_out(
    lane: str, document: Mapping[str, Any], device: str, who: str, retry_failed: bool
) -> dict[str, str]:
    """Carries out a lane, or waits for the end of one that an earlier task began.

    Args:
        lane: what distinguishes it.
        document: its ``run.json``; its only device is still the client's.
        device: the device's identity here.
        who: for whom.
        retry_failed: whether trials that failed are repeated.

    Returns:
        ``error`` and ``code``: why it ended before its end; empty if it did not.
    """
    from distributed import get_worker

    host = _here[0]
    with host.lock:
        running = host.lanes.get(lane)
        if running is None or running.process.poll() is not None:
            running = _started(lane, document, device, who, retry_failed)
            host.lanes[lane] = running
    worker = get_worker()
    told = -1
    while running.process.poll() is None:
        if (count := _finished(lane)) != told:
            worker.log_event(f"lane-{lane}", {"finished": count})
            told = count
        time.sleep(_POLL_SECONDS)
    with host.lock:
        if host.lanes.get(lane) is running:
            del host.lanes[lane]
    return _outcome(running)


@_answering
def attempts(lane: str, known: Collection[str]) -> list[shard.Attempt]:
    """The finished attempts of a lane that the client does not know yet."""
    return shard.attempts(lane, known)


@_answering
def stop(lane: str) -> None:
    """Ends a lane as by Ctrl-C: what is finished is kept."""
    running = _here[0].lanes.get(lane)
    if running is not None:
        _close(running)


def end_all(host: Host) -> None:
    """Ends all lanes of a host that leaves, and waits for them."""
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
    key = (found.address or found.serial, name)
    if key not in host.opened:
        host.opened[key] = open_device(_spec(found, name, allow))
    return host.opened[key]


def _found(device: str) -> Found:
    host = _here[0]
    try:
        return host.found[device]
    except KeyError as error:
        raise DeviceError(f"{device} is no longer plugged into {host.name}", "lost") from error


def _spec(found: Found, name: str, allow: tuple[str, ...]) -> DeviceSpec:
    return DeviceSpec.model_validate(
        {"name": name, "kind": found.kind, "address": found.address, "allow": allow}
    )


def _started(
    lane: str, document: Mapping[str, Any], device: str, who: str, retry_failed: bool
) -> Running:
    (asked,) = document["suite"]["devices"]
    spec = _spec(_found(device), asked["name"], tuple(asked.get("allow", ())))
    own = {key: asked[key] for key in ("power_counter", "battery_current") if asked.get(key)}
    local = {**spec.model_dump(exclude_defaults=True), **own}
    suite = {**document["suite"], "devices": [local]}
    folder = shard.open_shard(lane, {**document, "suite": suite})
    # The address is one that this host found by itself.
    own_code.trust(folder.path, [spec])
    errors = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mobilebench.lab.lane", str(folder.path)),
            *(["--retry-failed"] if retry_failed else []),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
    )
    run = folder.run()
    return Running(process, errors, device, who, run.name, clock.now("seconds"), len(run.plan))


def _finished(lane: str) -> int:
    """How many lines a lane's folder has."""
    try:
        return (shard.shard_path(lane) / TRIALS).read_bytes().count(b"\n")
    except OSError:
        return 0


def _outcome(running: Running) -> dict[str, str]:
    assert running.process.stdout is not None
    lines = running.process.stdout.read().splitlines()
    with contextlib.suppress(ValueError, IndexError):
        said = json.loads(lines[-1])
        return {"error": str(said["error"]), "code": str(said["code"])}
    running.errors.seek(0)
    words = running.errors.read().decode("utf-8", "replace").strip().splitlines()
    last = words[-1] if words else f"exit code {running.process.returncode}"
    return {"error": f"its process on {_here[0].name} ended: {last[:300]}", "code": "lost"}
