"""What a trial on a phone costs beside the app's own time, and four phones at once against one.

    python benchmarks/adb_overhead.py [--trials 20] [--seconds 1.0]

On virtual phones (`tests/phone`): a real adb server and a real adbd, an app that waits so long as
a measurement would take and then answers with 1,000 samples. Only the host's side is measured
here: on a phone `am start` alone takes about half a second more.

By hand: `adb push` and `adb shell am start` by the adb program, then the app's own time, as the
app itself reports it. Ours: the same through `AndroidDevice`, with the checks before and after, the
hash of the file, the state of the phone in the result.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from common import heading

sys.path.insert(0, str(Path(__file__).parents[1]))

from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.android.device import AndroidDevice
from mobilebench_agent.contract import PROTOCOL_VERSION, Job, Result

from tests.phone import apps, personalities, system
from tests.phone.android import PACKAGE, Android, Package
from tests.phone.server import QUIET, Server

_APP = """
def say(**message):
    print(json.dumps(message), flush=True)

started = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
say(type="hello", protocol={protocol}, agent="benchmark", runtime="none", runtime_version="0",
    device=dict(virtual=True))
job = json.loads(sys.stdin.readline())
for phase in ("load", "warmup", "measure"):
    say(type="event", trial=job["trial"], phase=phase, done=0.0)
time.sleep({seconds})
ticks = os.sysconf("SC_CLK_TCK")
own = time.clock_gettime(time.CLOCK_BOOTTIME) - started / ticks
metric = dict(name="own", unit="s", source="benchmark", value=own, resolution=1 / ticks, n=1,
              validity="valid", reason="")
say(type="result", trial=job["trial"], kind="latency", metrics=[metric], samples_ns=[5] * 1000,
    delegation={{}}, warnings=[])
"""


@contextlib.contextmanager
def phones(count: int, folder: Path, seconds: float) -> Iterator[list[tuple[Android, AdbDevice]]]:
    """So many virtual phones behind an adb server of their own."""
    server = Server(folder)
    address = AdbServer("127.0.0.1", server.port)
    made = []
    try:
        for number in range(count):
            app = apps.script(_APP.format(seconds=seconds, protocol=PROTOCOL_VERSION))
            android = personalities.pixel(folder / f"phone-{number}", system.prepare(), app)
            android.installed[PACKAGE] = Package(1)
            android.phone.start()
            address.connect(android.phone.serial)
            device = AdbDevice(address, android.phone.serial)
            if not device.wait(20):
                raise SystemExit("the virtual phone did not start")
            made.append((android, device))
        yield made
    finally:
        for android, _ in made:
            android.phone.close()
        server.close()


def trial(device: AndroidDevice, model: Path, digest: str) -> tuple[float, float]:
    """Seconds of one trial, and of the app in it."""
    start = time.monotonic()
    path = device.push(model, digest)
    job = Job(PROTOCOL_VERSION, "benchmark.phone.00000", "latency", path, digest)
    result: Result = device.run(job, lambda _: None, 60)
    wall = time.monotonic() - start
    return wall, next(m.value or 0.0 for m in result.metrics if m.name == "own")


def by_hand(device: AdbDevice, model: Path) -> tuple[float, float]:
    """Seconds of `adb push` and of `adb shell am start`, with the adb program."""
    times = []
    words = ["am", "start", "-W", "-S", "-n", f"{PACKAGE}/.BenchmarkActivity", "--es", "socket"]
    for command in (
        ["push", str(model), "/data/local/tmp/by-hand.tflite"],
        ["shell", *words, f"by-hand-{os.getpid()}-{time.monotonic_ns()}"],
    ):
        start = time.monotonic()
        subprocess.run(
            device.server.program("-s", device.serial, *command), check=True, capture_output=True
        )
        times.append(time.monotonic() - start)
    return times[0], times[1]


def main() -> None:
    """Prints both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--megabytes", type=int, default=14, help="of the model: MobileNetV2's")
    arguments = parser.parse_args()
    os.environ |= QUIET
    heading(
        "adb overhead: what a trial on a (virtual) phone costs beside the app's own time",
        quiet=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.tflite"
        model.write_bytes(os.urandom(arguments.megabytes << 20))
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        with phones(4, folder, arguments.seconds) as made:
            devices = [AndroidDevice("phone", device, None) for _, device in made]
            for device in devices:
                device.probe()
            first, own = trial(devices[0], model, digest)
            push, start = (
                statistics.median(times)
                for times in zip(*(by_hand(made[0][1], model) for _ in range(5)), strict=True)
            )
            for device in devices[1:]:
                trial(device, model, digest)
            begin = time.monotonic()
            walls = [trial(devices[0], model, digest) for _ in range(arguments.trials)]
            alone = time.monotonic() - begin
            threads = [
                threading.Thread(
                    target=lambda d=device: [
                        trial(d, model, digest) for _ in range(arguments.trials)
                    ]
                )
                for device in devices
            ]
            begin = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            together = time.monotonic() - begin
    print(f"trials     {arguments.trials}, model {arguments.megabytes} MB, app waits "
          f"{arguments.seconds:g} s\n")  # fmt: skip
    print("by hand, with the adb program (median of 5)")
    print(f"  adb push               {push * 1e3:7.0f} ms")
    print(f"  adb shell am start -W  {start * 1e3:7.0f} ms\n")
    beside = statistics.median(wall - own for wall, own in walls)
    print("mobilebench, beside the app's own time")
    print(f"  first trial            {(first - own) * 1e3:7.0f} ms"
          f"   {(first - own - push - start) * 1e3:+.0f} ms over by hand")  # fmt: skip
    print(f"  further trials, median {beside * 1e3:7.0f} ms"
          f"   {(beside - start) * 1e3:+.0f} ms over am start\n")  # fmt: skip
    print(f"one phone                {alone:7.2f} s")
    print(f"four phones at once      {together:7.2f} s   {together / alone:.2f} × one")


if __name__ == "__main__":
    main()
