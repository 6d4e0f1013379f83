"""The two programs of a lab that stay: its scheduler, and what runs on each of its hosts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.devices import discovery
from mobilebench.devices.found import Found
from mobilebench.errors import BadInputError, MobileBenchError, first_line
from mobilebench.lab import host
from mobilebench.lab.certificates import security
from mobilebench.lab.client import DEVICE, HOST, MAKER, MAKING, SCHEME
from mobilebench.lab.listen import host_and_port
from mobilebench.text import plain
from mobilebench.version import __version__

if TYPE_CHECKING:
    from distributed import Worker

_POLL_SECONDS = 2.0
#: So many small things may be asked of a host at once.
_SIDE_BY_SIDE = 8
_METADATA = "mobilebench"

#: Dask's own habits that would disturb what is measured on the same machine, or a lab's patience.
_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # Stages of recipes go to hosts with room; what is asked of one host or device cannot be moved.
    "distributed.scheduler.work-stealing": True,
    # A phone may be unplugged often before its lane has ended; its lane goes on each time.
    "distributed.scheduler.allowed-failures": 1_000_000,
    "distributed.comm.timeouts.connect": "20s",
    "distributed.admin.tick.limit": "1h",
    # Dask's pages know no certificates.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}

_NO_PAGES: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}

Say = Callable[[str], None]


async def serve(address: str, certificates: Path, say: Say) -> None:
    """Runs a lab's scheduler until it is cancelled.

    Args:
        address: where it listens: ``HOST:PORT``; port 0 takes a free one.
        certificates: of the lab.
        say: is given the address.

    Raises:
        BadInputError: it cannot listen there.
    """
    secure = security(certificates)
    name, port = host_and_port(address)
    import dask
    from distributed import Scheduler

    with dask.config.set(_SETTINGS):
        try:
            scheduler = await Scheduler(
                protocol="tls", host=name, port=port, security=secure, **_NO_PAGES
            )
        except OSError as error:
            raise BadInputError(f"cannot listen at {address}: {first_line(error)}") from error
        scheduler.task_metadata[_METADATA] = __version__
        say(scheduler.address)
        try:
            await scheduler.finished()
        finally:
            await scheduler.close()


async def join(
    address: str,
    certificates: Path,
    name: str,
    selection: Sequence[str],
    say: Say,
    making: int = 0,
) -> None:
    """Offers the devices of this host to a lab, each as it is plugged in, until it is cancelled.

    Args:
        address: of the scheduler; it is waited for.
        certificates: of the lab.
        name: of this host in the lab.
        selection: which devices; none: every phone and board that is ready.
        say: is given what comes and goes.
        making: how many stages of recipes it makes for clients at once.

    Raises:
        BadInputError: the lab is of another version.
    """
    secure = security(certificates)
    if not address.startswith(SCHEME):
        raise BadInputError(f"{address!r} is no lab, as tls://HOST:PORT")
    import dask

    here = host.Host(name, say)
    host.take_part_as(here)
    is_reported = False
    with dask.config.set(_SETTINGS):
        try:
            while True:
                try:
                    await _stay(address, secure, here, selection, say, making)
                except (OSError, TimeoutError, RuntimeError) as error:
                    if not is_reported:
                        say(f"cannot join the lab at {address}: {first_line(error)}; trying on")
                        is_reported = True
                else:
                    is_reported = False
                    say(f"the lab at {address} has gone; trying on")
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            await asyncio.to_thread(host.end_all, here)


async def _stay(
    address: str,
    secure: Any,
    here: host.Host,
    selection: Sequence[str],
    say: Say,
    making: int,
) -> None:
    """Takes part in the lab until its scheduler goes."""
    from distributed import Client, Status

    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            Client(address, security=secure, asynchronous=True, set_as_default=False, timeout=10)
        )
        version = await client.get_metadata([_METADATA], default=None)
        if version != __version__:
            other = plain(version or "of no known version")
            raise BadInputError(
                f"the lab at {address} has MobileBench {other}, this "
                f"host {__version__}: bring one of them up to date"
            )
        infos = (await client.scheduler.identity())["workers"].values()
        if any(info["name"] == HOST + here.name for info in infos):
            if here.has_joined:
                raise RuntimeError("it has not yet noticed that this host was cut off from it")
            raise BadInputError(
                f"the lab at {address} has a host {here.name!r} already: give another --name"
            )
        workers: dict[str, Worker] = {}
        own = await _worker(address, secure, HOST + here.name, _SIDE_BY_SIDE)
        makers: list[Worker] = []
        try:
            if making:
                name = MAKER + here.name
                makers.append(await _worker(address, secure, name, making, MAKING))
            here.has_joined = True
            say(f"{here.name} has joined the lab at {address}")
            while own.status == Status.running:
                found = await asyncio.to_thread(_found, selection, say)
                if found is not None:
                    await _come_and_go(found, address, secure, here, workers, say)
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            for worker in (own, *makers, *workers.values()):
                await _leave(worker)


async def _come_and_go(
    found: Mapping[str, Found],
    address: str,
    secure: Any,
    here: host.Host,
    workers: dict[str, Worker],
    say: Say,
) -> None:
    from distributed import Status

    here.found = dict(found)
    fit = {key: device for key, device in found.items() if device.ready}
    for key in [key for key in workers if key not in fit]:
        say(f"{key} has left" if key not in found else f"{key} is {plain(found[key].advice)}")
        await _leave(workers.pop(key))
    for key, device in fit.items():
        worker = workers.get(key)
        if worker is None or worker.status != Status.running:
            say(f"{key} has come: {plain(device.model)}")
            name = f"{DEVICE}{here.name}/{key}"
            workers[key] = await _worker(address, secure, name, 1)


async def _worker(
    address: str, secure: Any, name: str, threads: int, resource: str | None = None
) -> Worker:
    from distributed import Worker

    worker: Worker = await Worker(
        address,
        security=secure,
        name=name,
        nthreads=threads,
        resources={resource or name: threads},
        memory_limit=0,
        **_NO_PAGES,
    )
    return worker


async def _leave(worker: Worker) -> None:
    # It would wait for its lane, which goes on without it and waits for its device.
    with contextlib.suppress(Exception):
        await worker.close(timeout=1, nanny=False)


def _found(selection: Sequence[str], say: Say) -> dict[str, Found] | None:
    """What is plugged in, ready or not; None where that cannot be seen just now."""
    try:
        if selection:
            every: list[Found] = []
            for one in selection:
                with contextlib.suppress(BadInputError):
                    every += discovery.locate([one])
        else:
            every = list(discovery.connected())
    except MobileBenchError as error:
        say(f"no device can be looked for: {first_line(error)}")
        return None
    return {host.identity(entry): entry for entry in every}
