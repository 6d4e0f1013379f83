"""The agent as a program, asked in a process of its own on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mobilebench.devices.agent import archive as agent_archive
from mobilebench_agent import contract
from mobilebench_agent.contract import PROTOCOL_VERSION, Error, Event, Hello, Job, Message, Result

from tests.support.models import sha256

QUICK = {"warmup_seconds": 0.0, "seconds": 0.0, "runs": 20}


def job(model: Path, kind: str, **settings: object) -> Job:
    return Job(
        PROTOCOL_VERSION,
        "run.local.00001",
        kind,
        str(model),
        sha256(model),
        **{**QUICK, **settings},
    )


def talk(
    line: str, python: str = sys.executable, env: dict[str, str] | None = None
) -> list[Message]:
    archive = agent_archive.build(Path(os.environ["MOBILEBENCH_CACHE"]))
    process = subprocess.run(
        [python, str(archive)],
        input=line,
        capture_output=True,
        text=True,
        timeout=300,
        env=env,
        check=False,
    )
    return [contract.decode(answer) for answer in process.stdout.splitlines()]


def ask(wanted: Job) -> Result | Error:
    hello, *events, last = talk(contract.encode(wanted))
    assert isinstance(hello, Hello)
    assert all(isinstance(event, Event) and event.trial == wanted.trial for event in events)
    assert isinstance(last, Result | Error)
    assert last.trial == wanted.trial
    return last


def metrics(result: Result | Error) -> dict[str, contract.Metric]:
    assert isinstance(result, Result), result
    return {metric.name: metric for metric in result.metrics}
