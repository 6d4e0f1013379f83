"""A device that runs every file with a fault in it, by the agent's code in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.records.device import DeviceFacts
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import kind_of
from mobilebench_agent.contract import Job, Result
from mobilebench_agent.runtime import AgentError

from tests.support.in_process import InProcessFiles
from tests.support.scripted_device import memory_result

FLOAT32 = 0
#: Is given a ``ModelT`` that is about to run, and may change it.
Fault = Callable[[Any], None]


class FaultyDevice(InProcessFiles):
    """Runs every file with a fault in it, by the agent's code in this process."""

    def __init__(self, folder: Path, fault: Fault = lambda _: None, name: str = "phone") -> None:
        super().__init__()
        self.name = name
        self._folder = folder
        self._fault = fault

    def probe(self) -> DeviceFacts:
        return DeviceFacts(self.name, "fake", "0", "a-runtime", "1")

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def push(self, file: Path, sha256: str) -> str:
        if file.suffix == ".tflite":
            model = load(file.read_bytes())
            self._fault(model)
            file = self._folder / f"{sha256}.faulty"
            file.write_bytes(dump(model))
        return super().push(file, sha256)

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        if job.kind == "latency":
            return Result(job.trial, job.kind, samples_ns=(10**6,) * 3)
        if job.kind == "memory":
            return memory_result(job, 7e6)
        try:
            return self.answer(job)
        except AgentError as error:
            raise TrialError(error.code, str(error)) from error

    def answer(self, job: Job) -> Result:
        content = self.files[job.model].read_bytes()
        as_it_is = hashlib.sha256(content).hexdigest()
        self.files[as_it_is] = self.files[job.model]
        return super().answer(Job(**{**vars(job), "model": as_it_is, "model_sha256": as_it_is}))


def operators(model: Any, kind: str) -> list[Any]:
    return [o for o in model.subgraphs[0].operators if kind_of(model, o) == kind]
