"""What a lab costs: many devices that idle, against one; and a scheduler with 2,000 devices.

    python benchmarks/lab.py [--hosts 4] [--devices 6] [--blocks 40]
    python benchmarks/lab.py --simulated 100 20

(a) A real scheduler, real hosts and a real client over TLS, all on this machine. The devices are
    made up: they sleep as long as a phone would measure (``idle_device.py``). Throughput is trials
    a second from the first trial's start to the last one's end, against that of one device alone;
    the CPU time of all processes and the memory of each are the kernel's.
(b) With ``--simulated HOSTS DEVICES`` no host is real: so many of Dask's own workers, in a few
    processes, and lanes that sleep. The scheduler is the real one.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil
from common import heading
from mobilebench.lab import certificates, service
from mobilebench.lab.client import DEVICE
from mobilebench.store.folder import RunFolder

_ROOT = Path(__file__).resolve().parent.parent
_MODEL = _ROOT / "tests" / "fixtures" / "models" / "small.tflite"
_PATIENCE_SECONDS = 300.0
_LANE_SECONDS = 10.0
#: Of the simulation's processes.
_SIDE_BY_SIDE = 4


class Lab:
    """Scheduler and hosts in processes of their own."""

    def __init__(self, folder: Path) -> None:
        """Starts the scheduler."""
        self.folder = folder
        self.certificates = folder / "certificates"
        certificates.create(self.certificates)
        plugin = folder / "plugins" / "idle_device-1.dist-info"
        plugin.mkdir(parents=True)
        (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: idle-device\nVersion: 1\n")
        (plugin / "entry_points.txt").write_text("[mobilebench.devices]\nidle = idle_device:KIND\n")
        here = (str(plugin.parent), str(_ROOT / "benchmarks"), str(_ROOT))
        inherited = os.environ.get("PYTHONPATH", "")
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((*here, *filter(None, [inherited]))),
            certificates.VARIABLE: str(self.certificates),
            "MOBILEBENCH_LEASES": str(folder),
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start("scheduler", "lab", "serve", "--listen", "127.0.0.1:0")
        self.address = self.waits_for("scheduler", r"tls://\S+:\d+")[0]

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A ``mobilebench`` command, its output in a file of that name."""
        environment = {**self.environment, "MOBILEBENCH_CACHE": str(self.folder / f"cache-{name}")}
        with (self.folder / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "mobilebench", *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        self.processes.append(process)
        return process

    def waits_for(self, name: str, pattern: str, count: int = 1) -> list[str]:
        """What a process says, once it has said so much."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            said = (self.folder / f"{name}.log").read_text("utf-8", "replace")
            if len(found := re.findall(pattern, said)) >= count:
                return found
            time.sleep(0.2)
        sys.exit(f"{name} did not say {pattern}: {said}")

    def join(self, host: str, devices: Sequence[str]) -> subprocess.Popen[bytes]:
        """A host with some devices."""
        named = [option for device in devices for option in ("--device", device)]
        process = self.start(host, "lab", "join", self.address, "--name", host, *named)
        self.waits_for(host, "has come", len(devices))
        return process

    def end(self) -> None:
        """Ends what this one started."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait()


@contextmanager
def laboratory() -> Iterator[Lab]:
    """A lab, ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="mobilebench-lab-") as folder:
        lab = Lab(Path(folder))
        try:
            yield lab
        finally:
            lab.end()


def throughput(lab: Lab, name: str, device: str, blocks: int) -> tuple[float, int, float, float]:
    """Trials a second, how many trials, wall time, and CPU time of the client."""
    results = lab.folder / f"results-{name}"
    began = time.monotonic()
    client = lab.start(
        name,
        *("run", str(_MODEL), "--lab", lab.address, "--device", device),
        *("--blocks", str(blocks), "--results", str(results), "--json"),
    )
    _, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    if client.returncode:
        sys.exit((lab.folder / f"{name}.log").read_text("utf-8", "replace"))
    wall = time.monotonic() - began
    trials = RunFolder.open(next(results.iterdir())).trials()
    begins = [datetime.fromisoformat(trial.started).timestamp() for trial in trials]
    ends = [begin + trial.seconds for begin, trial in zip(begins, trials, strict=True)]
    cpu = usage.ru_utime + usage.ru_stime
    return len(trials) / (max(ends) - min(begins)), len(trials), wall, cpu


def memory(process: subprocess.Popen[bytes]) -> int:
    """Resident bytes of a process alone."""
    return int(psutil.Process(process.pid).memory_info().rss)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Of a process and its children that have ended."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def real(hosts: int, devices: int, blocks: int) -> None:
    """Part (a)."""
    with laboratory() as lab:
        joined = [
            lab.join(f"h{host}", [f"idle:{host}{device}" for device in range(devices)])
            for host in range(hosts)
        ]
        one, alone, _, _ = throughput(lab, "one", "lab:h0/idle00", max(4, blocks // 2))
        before = sum(map(cpu_seconds, joined)) + cpu_seconds(lab.scheduler)
        every, trials, wall, client = throughput(lab, "all", "lab:*", blocks)
        spent = sum(map(cpu_seconds, joined)) + cpu_seconds(lab.scheduler) - before
        scheduler, largest = memory(lab.scheduler), max(map(memory, joined))
    count = hosts * devices
    print(f"hosts                       {hosts} of {devices} devices that sleep, one machine")
    print(f"one device                  {one:.3f} trials/s ({alone} trials)")
    print(f"{count} devices                  {every:.2f} trials/s ({trials} trials)")
    print(f"of {count} times one             {every / (count * one):.1%}")
    print(f"CPU time a lane             {(spent + client) / count:.2f} s on hosts and client")
    print(f"memory of the scheduler     {scheduler / 2**20:.0f} MiB")
    print(f"memory of a host            {largest / 2**20:.0f} MiB at most, without its lanes")
    print(f"wall time                   {wall:.0f} s")


def lane(seconds: float) -> float:
    """A lane that sleeps."""
    time.sleep(seconds)
    return seconds


async def some_workers(address: str, folder: Path, first: int, last: int, devices: int) -> None:
    """So many hosts' workers, in this process, until it is ended."""
    secure = certificates.security(folder)
    for host in range(first, last):
        await asyncio.gather(
            *(
                service._worker(address, secure, f"{DEVICE}s{host}/d{device}", 1)
                for device in range(devices)
            )
        )
    print("ready", flush=True)
    await asyncio.Event().wait()


def simulated(hosts: int, devices: int) -> None:
    """Part (b)."""
    from distributed import Client

    with laboratory() as lab:
        began = time.monotonic()
        step = -(-hosts // _SIDE_BY_SIDE)
        for first in range(0, hosts, step):
            with (lab.folder / f"workers{first}.log").open("wb") as output:
                last = min(hosts, first + step)
                arguments = (lab.address, str(lab.certificates), first, last, devices)
                lab.processes.append(
                    subprocess.Popen(
                        [sys.executable, __file__, "--workers", *map(str, arguments)],
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=lab.environment,
                    )
                )
        for first in range(0, hosts, step):
            lab.waits_for(f"workers{first}", "ready")
        joined = time.monotonic() - began
        client = Client(lab.address, security=certificates.security(lab.certificates))
        cpu = cpu_seconds(lab.scheduler)
        began = time.monotonic()
        count = hosts * devices
        futures = []
        for host in range(hosts):
            for device in range(devices):
                name = f"{DEVICE}s{host}/d{device}"
                futures.append(client.submit(lane, _LANE_SECONDS, resources={name: 1}, pure=False))
        client.gather(futures)
        wall = time.monotonic() - began
        spent = cpu_seconds(lab.scheduler) - cpu
        scheduler = memory(lab.scheduler)
        client.close()
    print(
        f"simulated                   {hosts} hosts of {devices} devices, none in its own process"
    )
    print(f"all have joined after       {joined:.0f} s")
    print(f"{count} lanes of {_LANE_SECONDS:.0f} s          {wall:.1f} s")
    print(f"CPU time of the scheduler   {1e3 * spent / count:.1f} ms a lane")
    print(f"memory of the scheduler     {scheduler / 2**20:.0f} MiB")


def main() -> None:
    """Prints one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--devices", type=int, default=6)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--simulated", type=int, nargs=2, metavar=("HOSTS", "DEVICES"))
    parser.add_argument("--workers", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.workers:
        address, folder, first, last, devices = arguments.workers
        import dask

        with dask.config.set(service._SETTINGS):
            asyncio.run(some_workers(address, Path(folder), int(first), int(last), int(devices)))
        return
    heading("A lab: devices side by side against one", quiet=not arguments.simulated)
    print(f"distributed {importlib.metadata.version('distributed')}\n")
    if arguments.simulated:
        simulated(*arguments.simulated)
    else:
        real(arguments.hosts, arguments.devices, arguments.blocks)


if __name__ == "__main__":
    main()
