"""Latency while models are made: the same question to this machine and to a phone over real adb."""

from pathlib import Path

import pytest
from mobilebench.compress.pipeline.latency import NotMeasuredError
from mobilebench.devices.android.device import AndroidDevice
from mobilebench.devices.base import Device, OnEvent
from mobilebench.devices.local.device import LocalDevice
from mobilebench.records.runtime import Runtime
from mobilebench.runs.latency_probe import latency_probe_on
from mobilebench_agent.contract import Job, Result

from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.support.faulty_device import FaultyDevice
from tests.support.models import BASELINE


def assert_measures(device: Device, model_file: Path, folder: Path) -> str:
    """Two files in turn, and one that is no model; returns what it calls the device."""
    facts = device.probe()
    latency_probe = latency_probe_on(device, facts, Runtime(name="cpu", threads=2), seed=0)
    assert all(0 < seconds < 1 for seconds in latency_probe.measure([model_file, model_file]))
    torn = folder / "torn.tflite"
    torn.write_bytes(b"\0\0\0\0TFL3")
    with pytest.raises(NotMeasuredError):
        latency_probe.measure([torn])
    assert facts.runtime_version in latency_probe.device
    assert "2 threads" in latency_probe.device
    return latency_probe.device


def test_this_machine(model_file: Path, tmp_path: Path) -> None:
    device = LocalDevice("here", None, tmp_path)
    name = assert_measures(device, model_file, tmp_path)
    assert name.startswith("local ")
    single = latency_probe_on(device, device.probe(), Runtime(name="cpu"), seed=0)
    assert single.device != name, "one thread is another thing to measure on"


@pytest.mark.parametrize(
    ("cpus", "placement", "place"),
    [("big", ("big", ()), "on the big CPUs"), ([2, 3], ("", (2, 3)), "on CPUs 2, 3")],
)
def test_it_is_kept_to_the_runtimes_cpus(
    tmp_path: Path, cpus: object, placement: object, place: str
) -> None:
    jobs: list[Job] = []

    class Watched(FaultyDevice):
        def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:
            jobs.append(job)
            return super().run(job, on_event, timeout_seconds)

    device = Watched(tmp_path)
    runtime = Runtime.model_validate({"name": "cpu", "cpus": cpus})
    latency_probe = latency_probe_on(device, device.probe(), runtime, seed=0)
    latency_probe.measure([BASELINE])
    assert {(job.cluster, job.cpus) for job in jobs} == {placement}
    assert place in latency_probe.device, "its latency is kept under this name"


def test_a_phone(pixel: Android, connect: Connect, model_file: Path, tmp_path: Path) -> None:
    pixel.installed[PACKAGE] = Package(1)
    device = AndroidDevice("phone", connect(pixel.phone), None, wait_seconds=120, cool_seconds=0)
    name = assert_measures(device, model_file, tmp_path)
    assert pixel.phone.serial in name, "another phone of this kind has a cache of its own"
