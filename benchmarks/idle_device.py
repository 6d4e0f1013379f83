"""A made-up device for ``lab.py``: it sleeps for as long as a phone would measure, and no more.

Its latencies are a script's; what a lab adds to a trial is real.
"""

from __future__ import annotations

import re
import time

from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult
from mobilebench.devices.found import Found
from mobilebench.devices.kind import DeviceKind
from mobilebench.devices.spec import DeviceSpec
from mobilebench.records.device import DeviceFacts
from mobilebench_agent.contract import Job, Result

from tests.support.in_process import InProcessFiles

_KIND = "idle"


class IdleDevice(InProcessFiles):
    """Sleeps through its trials."""

    kind = _KIND

    def __init__(self, spec: DeviceSpec) -> None:
        super().__init__()
        self.name = spec.name

    def probe(self) -> DeviceFacts:
        """What it says of itself."""
        return DeviceFacts(self.name, self.kind, "0", "idle", "0", virtual=True)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        """It is always fit."""
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        """As long as a phone would take."""
        if job.kind == "outputs":
            return self.answer(job)
        time.sleep(job.warmup_seconds + (job.seconds if job.kind == "latency" else 0))
        if job.kind != "latency":
            return Result(job.trial, job.kind)
        samples = tuple(1_000_000 + number % 7 for number in range(max(job.runs, 50)))
        return Result(job.trial, job.kind, samples_ns=samples, warmup_ns=samples)


def _locate(address: str) -> Found | None:
    if re.fullmatch(r"idle:\d+", address) is None:
        return None
    serial = address.replace(":", "")
    return Found(serial, kind=_KIND, address=address, model="idle", virtual=True, identity=serial)


KIND = DeviceKind(_KIND, "sleeps", IdleDevice, locate=_locate, takes=frozenset({"address"}))
