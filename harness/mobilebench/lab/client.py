"""A client of a lab: asks hosts to do things, and finds their devices."""

from __future__ import annotations

import contextlib
import functools
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.devices import interrupt
from mobilebench.devices.found import Found
from mobilebench.errors import BadInputError, DeviceError, did_you_mean, first_line
from mobilebench.lab import host, shard
from mobilebench.lab.certificates import dask_or_sentence, default_folder, security
from mobilebench.version import __version__

if TYPE_CHECKING:
    from distributed import Client, Future

#: What an address of a lab begins with.
SCHEME = "tls://"
#: What a device of a lab is asked for by.
PREFIX = "lab:"

#: Dask's resources, of which a worker has one or some: who may run a task.
DEVICE, HOST = "device:", "host:"
#: The resource of hosts that compress, which any of them has; and how their workers' names begin.
MAKING, MAKER = "making", "making:"
#: What the keys of those of Dask's tasks begin with that somebody asks of a device.
ASKED = "asked"

_CONNECT_SECONDS = 10
#: A host that answers nothing for so long is left out.
LOOK_SECONDS = 20.0
#: So long a part of a file may be on its way, on a slow network, too.
_PART_SECONDS = 300.0


class _NoWayInError(BadInputError):
    """Nothing answers at the lab's address, or not to these certificates."""


@dataclass(frozen=True)
class LabHost:
    """A host as it describes itself, its devices and ended lanes; see :func:`.host.look`."""

    name: str
    version: str
    devices: tuple[Mapping[str, Any], ...]
    recent: tuple[Mapping[str, Any], ...] = ()

    def ensure_same_version(self) -> None:
        """Raises BadInputError where it is of another version than this one."""
        if self.version != __version__:
            raise BadInputError(
                f"lab host {self.name} has MobileBench {self.version}, this is {__version__}: "
                "bring one of them up to date"
            )


@dataclass(frozen=True)
class Asked:
    """What somebody asked of a device, ``HOST/ID``, and has not got yet.

    ``lane`` and ``run`` are empty where it is a single look at the device, as before each lane.
    """

    device: str
    lane: str
    who: str
    run: str


def _asked(dask_scheduler: Any) -> list[tuple[str, str, str, str]]:
    """Of the scheduler, where it runs: what was asked of devices and has not ended."""
    tasks = [
        task
        for task in dask_scheduler.tasks.values()
        if isinstance(task.key, tuple)
        and task.key[0] == ASKED
        and task.key[1].startswith(DEVICE)
        and task.state not in ("memory", "erred", "forgotten")
    ]
    tasks.sort(key=lambda task: task.priority)
    found: dict[str, tuple[str, str, str, str]] = {}
    for task in tasks:
        _, device, lane, who, run, token = task.key
        # A lane that its client asked for again is one.
        found.setdefault(lane or token, (device.removeprefix(DEVICE), lane, who, run))
    return list(found.values())


class Lab:
    """A connection to a lab's scheduler, made anew where it was lost.

    Raises:
        BadInputError: the address is none of a lab.
    """

    def __init__(self, address: str, certificates: Path) -> None:
        self.address = address.strip().rstrip("/")
        if re.fullmatch(r"tls://[^/\s]+:\d+", self.address) is None:
            raise BadInputError(f"{address!r} is no lab, as tls://HOST:PORT")
        self._certificates = certificates
        self._client: Client | None = None
        self._lock = threading.Lock()

    def client(self) -> Client:
        """The connection.

        Raises:
            BadInputError: nothing answers there, or not to these certificates.
        """
        dask_or_sentence()
        import distributed

        with self._lock:
            if self._client is None or self._client.status != "running":
                self.close()
                try:
                    self._client = distributed.Client(
                        self.address,
                        security=security(self._certificates),
                        timeout=_CONNECT_SECONDS,
                        set_as_default=False,
                        name=host.me(),
                    )
                except (OSError, TimeoutError, ValueError) as error:
                    raise _NoWayInError(
                        f"there is no way into the lab at {self.address} with the certificates in "
                        f"{self._certificates}: {first_line(error)}"
                    ) from error
            return self._client

    def close(self) -> None:
        """Leaves the lab; what was asked for goes on there."""
        if self._client is not None:
            client, self._client = self._client, None
            client.close(timeout=2)

    def submit(
        self,
        resource: str,
        function: Callable[..., Any],
        *arguments: Any,
        lane: str = "",
        run: str = "",
    ) -> Future:
        """A task for whoever has that resource; it waits until somebody has.

        Args:
            resource: who runs it.
            function: what is run.
            arguments: its own.
            lane: its name, where it is one.
            run: what others who wait for the device see of it.

        Raises:
            DeviceError: the lab does not answer (any more).
        """
        from distributed.client import ClosedClientError

        try:
            # Others see by the key who asks for what.
            key = (ASKED, resource, lane, host.me(), run, secrets.token_hex(8))
            return self.client().submit(
                function, *arguments, key=key, resources={resource: 1}, pure=False
            )
        except (_NoWayInError, ClosedClientError, OSError) as error:
            raise self._lost(error) from error

    def withdraw(self, future: Future) -> None:
        """Takes a task back that nobody has begun, also one that was to outlive this process."""
        client = self._client
        if client is not None and client.status == "running":
            # Where the scheduler goes just now, its tasks go with it.
            with contextlib.suppress(Exception):
                client.cancel([future], force=True)

    def _lost(self, error: BaseException) -> DeviceError:
        if isinstance(error, _NoWayInError):
            return DeviceError(str(error), "lost")
        return DeviceError(f"the lab at {self.address} was lost: {first_line(error)}", "lost")

    def ask(
        self,
        resource: str,
        function: Callable[..., host.Answer],
        *arguments: Any,
        seconds: float | None = None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> Any:
        """What a function comes to there.

        Args:
            resource: who is asked.
            function: of :mod:`mobilebench.lab.host`.
            arguments: its own.
            seconds: how long the answer may take; None: for ever.
            on_wait: is called once if it has not come within three seconds.

        Raises:
            DeviceError: no answer came, or the lab was lost.
            TrialError, BadInputError: what the function raised.
            KeyboardInterrupt: this thread is to stop.
        """
        from distributed import CancelledError

        future = self.submit(resource, function, *arguments)
        begin, is_reported = time.monotonic(), False
        try:
            while True:
                try:
                    answer = future.result(timeout=1)
                    break
                except TimeoutError as error:
                    passed = time.monotonic() - begin
                    if seconds is not None and passed > seconds:
                        raise DeviceError(
                            f"{resource} of the lab at {self.address} has not answered within "
                            f"{seconds:g} s",
                            "lost",
                        ) from error
                    if passed > 3 and not is_reported:
                        is_reported = True
                        on_wait()
                    interrupt.check()
        except (OSError, CancelledError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise self._lost(error) from error
        finally:
            future.release()
        assert isinstance(answer, host.Answer)
        return answer.or_raise()

    def hosts(self) -> tuple[LabHost, ...]:
        """Every host that answers, by name.

        Raises:
            BadInputError: there is no such lab.
            DeviceError: it was lost.
        """
        found = []
        for name in self._workers(HOST):
            try:
                seen = self.ask(HOST + name, host.look, seconds=LOOK_SECONDS)
            except DeviceError:
                continue
            # A host of another version may not say all of it: its devices are refused by version.
            recent = tuple(seen.get("recent", ()))
            found.append(LabHost(seen["host"], seen["version"], tuple(seen["devices"]), recent))
        return tuple(found)

    def makers(self) -> tuple[str, ...]:
        """The hosts that compress, by name; errors as of ``hosts``."""
        return self._workers(MAKER)

    def _workers(self, prefix: str) -> tuple[str, ...]:
        """What comes after a prefix in the names of workers, in order."""
        try:
            workers = self.client().scheduler_info(n_workers=-1)["workers"].values()
        except OSError as error:
            raise self._lost(error) from error
        names = (str(worker["name"]) for worker in workers)
        return tuple(sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix)))

    def asked_for(self) -> tuple[Asked, ...]:
        """What is asked of devices, under way or waiting, in the order of its turns.

        Raises:
            BadInputError: there is no such lab.
            DeviceError: it was lost.
        """
        try:
            found = self.client().run_on_scheduler(_asked)
        except OSError as error:
            raise self._lost(error) from error
        return tuple(Asked(*entry) for entry in found)

    def send(self, host_name: str, files: Mapping[str, Path]) -> None:
        """Sends a host the files that it has not got, each once."""
        resource = HOST + host_name
        for name in self.ask(resource, host.missing, list(files), seconds=LOOK_SECONDS):
            # Somebody else may send the same file meanwhile.
            sender = secrets.token_hex(8)
            size = files[name].stat().st_size
            with files[name].open("rb") as file:
                offset = 0
                while True:
                    data = file.read(shard.PART_BYTES)
                    is_last = offset + len(data) >= size
                    part = (name, offset, data, is_last, sender)
                    self.ask(resource, host.put, *part, seconds=_PART_SECONDS)
                    offset += len(data)
                    if is_last:
                        break

    def watch_lane(self, lane: str, future: Future, changed: threading.Event) -> Callable[[], None]:
        """Sets the event when the lane reports progress or ends; the result ends the watching.

        Raises:
            DeviceError: the lab does not answer (any more).
        """
        topic = f"lane-{lane}"
        try:
            client = self.client()
            client.subscribe_topic(topic, lambda _: changed.set())
        except (_NoWayInError, OSError) as error:
            raise self._lost(error) from error
        future.add_done_callback(lambda _: changed.set())

        def end() -> None:
            if client.status == "running":
                client.unsubscribe_topic(topic)

        return end


@functools.cache
def lab_at(address: str) -> Lab:
    """The lab of that address; this process has one connection to it."""
    return Lab(address, default_folder())


def split(address: str) -> tuple[str, str, str]:
    """``tls://HOST:PORT/NAME/ID``: the lab, the host's name, and the device's identity.

    Raises:
        BadInputError: it is no such address.
    """
    match = re.fullmatch(r"(tls://[^/\s]+:\d+)/([^/\s]+)/([^/\s]+)", address)
    if match is None:
        raise BadInputError(
            f"{address!r} is no device of a lab, as tls://HOST:PORT/NAME/ID: see "
            "mobilebench lab status"
        )
    return match[1], match[2], match[3]


_Device = tuple[str, Mapping[str, Any]]

#: What devices can be chosen by, and how a sentence says it.
_KEYS = {"soc": "SoC", "model": "model", "android": "Android", "host": "host"}


def choose(lab: Lab, selectors: Sequence[str]) -> tuple[str, ...]:
    """The addresses of the devices that selectors mean.

    ``lab:*`` is every one that is ready; ``lab:soc=SM8550``, ``lab:model=Pixel 9``,
    ``lab:android=15`` and ``lab:host=NAME`` those that match, whatever the case of their letters;
    ``lab:any(3)`` three, free ones first; ``lab:NAME/ID`` one.

    Raises:
        BadInputError: one means nothing that is there; the sentence says what is.
    """
    every = _devices(lab)
    chosen: list[_Device] = []
    for selector in selectors:
        found = _meant(selector, every, lab.address)
        if not found:
            raise BadInputError(_nothing(selector, every, lab.address))
        chosen += found
    return tuple(dict.fromkeys(_address(lab, at) for at in chosen))


def comings(lab: Lab, selectors: Sequence[str]) -> Callable[[], Sequence[Found]]:
    """A look, again and again, for the devices that selectors mean and that are ready.

    Raises:
        BadInputError: one means no device, or says not which; there is no such lab.
    """
    if counted := [selector for selector in selectors if _count(selector) is not None]:
        raise BadInputError(
            f"{counted[0]} does not say which devices are waited for: name lab:*, or lab:model=NAME"
        )
    last = _ready(lab, selectors)

    def look() -> Sequence[Found]:
        nonlocal last
        # A scheduler that goes and is started again does not make its devices come again.
        with contextlib.suppress(DeviceError, _NoWayInError):
            last = _ready(lab, selectors)
        return last

    return look


def _ready(lab: Lab, selectors: Sequence[str]) -> Sequence[Found]:
    every = _devices(lab)
    found = {_address(lab, at): at for one in selectors for at in _meant(one, every, lab.address)}
    return [
        Found(f"{name}/{device['id']}", address=address, model=str(device["model"]))
        for address, (name, device) in found.items()
    ]


def _address(lab: Lab, at: _Device) -> str:
    name, device = at
    return f"{lab.address}/{name}/{device['id']}"


def _devices(lab: Lab) -> list[_Device]:
    """Every device of a lab, ready or not, of hosts of this version."""
    every = []
    for at in lab.hosts():
        if at.devices:
            at.ensure_same_version()
        every += [(at.name, device) for device in at.devices]
    return every


def _meant(selector: str, every: Sequence[_Device], address: str) -> list[_Device]:
    """Those that are ready and that a selector means.

    Raises:
        BadInputError: it is no selector, or asks for more than there are.
    """
    among = [at for at in every if not at[1]["advice"]]
    count = _count(selector)
    if count is not None:
        if not 1 <= count <= len(among):
            raise BadInputError(
                f"{selector} asks for {count} devices, and {len(among)} of the lab at {address} "
                f"are ready: {_names(among)}"
            )
        return sorted(among, key=lambda at: at[1]["busy"] is not None)[:count]
    return [at for at in among if _is_meant(selector, at)]


def _count(selector: str) -> int | None:
    """How many devices of any are asked for."""
    match = re.fullmatch(r"any\(\s*(\d{1,4})\s*\)", _wanted(selector), re.IGNORECASE)
    return int(match[1]) if match else None


def _is_meant(selector: str, at: _Device) -> bool:
    """Whether a selector, but for a number of any, means a device, ready or not.

    Raises:
        BadInputError: it is none.
    """
    name, device = at
    wanted = _wanted(selector)
    if wanted == "*":
        return True
    key, value = _pair(wanted)
    if key in _KEYS and value:
        return _plain(_text(at, key)) == value
    if "/" in wanted:
        # By the number that it has itself, or as its host's adb calls it.
        return _plain(wanted) in {_plain(f"{name}/{device[by]}") for by in ("id", "serial")}
    hint = did_you_mean(key, [*(f"{known}=" for known in _KEYS), "any(1)", "*"])
    raise BadInputError(
        f"{selector} means no device: {hint}there are lab:*, lab:soc=NAME, lab:model=NAME, "
        "lab:android=NUMBER, lab:host=NAME, lab:any(NUMBER) and lab:HOST/ID"
    )


def _wanted(selector: str) -> str:
    return selector.removeprefix(PREFIX).strip()


def _pair(wanted: str) -> tuple[str, str]:
    key, _, value = wanted.partition("=")
    return key.strip().casefold(), _plain(value)


def _plain(text: str) -> str:
    """Without what people write in different ways: letters' case, and spaces."""
    return " ".join(text.split()).casefold()


def _nothing(selector: str, every: Sequence[_Device], address: str) -> str:
    """Why a selector means nothing, and what is there instead."""
    if not every:
        return f"the lab at {address} has no device: see mobilebench lab status"
    text = f"the lab at {address} has no ready device {selector}"
    unfit = [
        f"{name}/{device['id']} is {device['advice']}"
        for name, device in every
        if device["advice"] and _is_meant(selector, (name, device))
    ]
    if unfit:
        return f"{text}: {'; '.join(unfit)}"
    among = [at for at in every if not at[1]["advice"]]
    key, _ = _pair(_wanted(selector))
    if key in _KEYS and among:
        values = dict.fromkeys(_text(at, key) or "unknown" for at in among)
        return f"{text}; those that are ready have {_KEYS[key]} {', '.join(values)}"
    return f"{text}; it has: {_names(among)}"


def _names(devices: Sequence[_Device]) -> str:
    return ", ".join(f"{name}/{device['id']}" for name, device in devices) or "none"


def _text(at: _Device, key: str) -> str:
    return at[0] if key == "host" else str(at[1].get(key) or "")


def lane_name(folder: Path, device: str) -> str:
    """What distinguishes a lane from all others, and is the same when its run is resumed."""
    import hashlib

    text = "\0".join((socket.gethostname(), str(folder.resolve()), device))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
