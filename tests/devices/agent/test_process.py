"""A conversation with an agent that may hang, die, lie or babble.

The agents here are small scripts: what is tested is what the host makes of them.
"""

import os
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mobilebench.devices.agent import process as agent_process
from mobilebench.devices.base import TrialError
from mobilebench.errors import InvalidRunError
from mobilebench_agent.contract import PROTOCOL_VERSION, Event, Job, Result

JOB = Job(PROTOCOL_VERSION, "run.local.00003", "latency", "m.tflite", "0" * 64)
HELLO = '{"type":"hello","protocol":2,"agent":"0","runtime":"r","runtime_version":"1","device":{}}'
RESULT = (
    '{"type":"result","trial":"run.local.00003","kind":"latency","metrics":[],'
    '"samples_ns":[5,6],"delegation":{},"warnings":[]}'
)


def with_metric(unit: str, value: int) -> str:
    metric = f'{{"name":"memory_pss","unit":"{unit}","source":"s","value":{value}}}'
    return RESULT.replace('"metrics":[]', f'"metrics":[{metric}]')


def converse(
    tmp_path: Path, script: str, timeout: float = 120, job: Job = JOB
) -> tuple[Result, list[Event]]:
    path = tmp_path / "agent.py"
    path.write_text("import os, sys, time\n" + textwrap.dedent(script))
    events: list[Event] = []
    result = agent_process.converse(
        [sys.executable, str(path)], job, events.append, timeout, dict(os.environ)
    )
    return result, events


ECHO = """
import json
job = json.loads(sys.stdin.readline())
given = [name + "=" + str(value) for name, value in job.items() if name.startswith("shown_")]
result = {"type": "result", "trial": job["trial"], "kind": "latency", "samples_ns": [5]}
print(json.dumps({**result, "warnings": given}), flush=True)
"""


@pytest.mark.parametrize("shows", [True, False])
def test_what_is_to_be_shown_goes_to_those_that_show_it(tmp_path: Path, shows: bool) -> None:
    """An older agent would refuse a job for fields that it does not know."""
    hello = HELLO.replace('"device":{}', '"device":{"shows_trial":true}') if shows else HELLO
    job = replace(JOB, shown_model="net", shown_recipe="int8", shown_trial=3, shown_trials=40)
    result, _ = converse(tmp_path, say(hello) + ECHO, job=job)
    every = ("shown_model=net", "shown_recipe=int8", "shown_trial=3", "shown_trials=40")
    assert result.warnings == (every if shows else ())
    assert converse(tmp_path, say(hello) + ECHO)[0].warnings == ()


@pytest.mark.parametrize("option", [{"precision": "float16"}, {"serialization": True}])
def test_options_of_accelerators_go_to_those_that_take_them(
    tmp_path: Path, option: dict[str, Any]
) -> None:
    job = replace(JOB, accelerator="gpu", **option)
    with pytest.raises(TrialError, match=f"takes no {next(iter(option))}") as caught:
        converse(tmp_path, say(HELLO) + ECHO, job=job)
    assert caught.value.code == "accelerator_unavailable"
    hello = HELLO.replace('"device":{}', '"device":{"accelerator_options":true}')
    assert converse(tmp_path, say(hello) + ECHO, job=job)[0].trial == JOB.trial


def say(*lines: str) -> str:
    return "".join(f"print({line!r}, flush=True)\n" for line in lines)


def test_a_good_agent(tmp_path: Path) -> None:
    event = '{"type":"event","trial":"run.local.00003","phase":"measure","done":0.5}'
    script = say(HELLO) + "sys.stdin.readline()\n" + say(event, RESULT)
    result, events = converse(tmp_path, script)
    assert result.samples_ns == (5, 6)
    assert [event.phase for event in events] == ["measure"]


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("sys.exit(3)", "agent_died", "exit code 3"),
        ("sys.stderr.write('no such library\\n'); sys.exit(1)", "agent_died", "no such library"),
        (say(HELLO) + "os.kill(os.getpid(), 9)", "agent_died", "out of memory?"),
        (say(HELLO) + "os.kill(os.getpid(), 11)", "agent_died", "SIGSEGV"),
        (say(HELLO) + "os.close(0); time.sleep(0.2); sys.exit(0)", "agent_died", "exit code 0"),
        (say("I am fine"), "protocol_violation", "not a JSON message"),
        (say(HELLO.replace('"protocol":2', '"protocol":1')), "protocol_violation", "update"),
        (say(RESULT), "protocol_violation", "expected hello"),
        (say(HELLO, HELLO), "protocol_violation", "got hello"),
        (say(HELLO, RESULT.replace("00003", "00002")), "protocol_violation", "00002"),
        (say(HELLO, RESULT.replace("latency", "memory")), "protocol_violation", "got memory"),
        (say(HELLO, RESULT.replace("latency", "outputs")), "protocol_violation", "outputs_sha256"),
        (say(HELLO, RESULT.replace("[5,6]", "[]")), "protocol_violation", "no samples"),
        (say(HELLO, RESULT.replace("[5,6]", "[5,0]")), "protocol_violation", "positive"),
        (say(HELLO, RESULT[:-10]), "protocol_violation", "not a JSON message"),
        (say(HELLO, with_metric("furlong", 5)), "protocol_violation", "reported in 'furlong'"),
        (say(HELLO, with_metric("B", -5)), "protocol_violation", "less than nothing"),
        (say(HELLO, with_metric("B", 10**400)), "protocol_violation", "more than 64 bits"),
        (
            say(HELLO, r'{"type":"error","code":"internal","message":"a\u001b]52;c;x\u0007\nb"}'),
            "internal",
            "a\ufffd]52;c;x\ufffd b",
        ),
        (
            say(HELLO, '{"type":"error","code":"output_nan","message":"NaN","trial":""}'),
            "output_nan",
            "NaN",
        ),
    ],
)
def test_a_bad_agent(tmp_path: Path, script: str, code: str, words: str) -> None:
    with pytest.raises(TrialError) as caught:
        converse(tmp_path, script)
    assert caught.value.code == code
    assert words in caught.value.reason


@pytest.mark.parametrize("script", ["time.sleep(60)", say(HELLO) + "time.sleep(60)"])
def test_a_hung_agent_is_ended_in_time(tmp_path: Path, script: str) -> None:
    alive = tmp_path / "alive"
    with pytest.raises(TrialError) as caught:
        converse(tmp_path, f"open({str(alive)!r}, 'w').write(str(os.getpid()))\n{script}", 4)
    assert caught.value.code == "timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(int(alive.read_text()), 0)


def test_an_agent_that_never_stops_talking_is_ended_in_time(tmp_path: Path) -> None:
    event = '{"type":"event","trial":"run.local.00003","phase":"measure","done":0.5}'
    with pytest.raises(TrialError) as caught:
        converse(tmp_path, f"print({HELLO!r})\nwhile True: print({event!r}, flush=True)", 1)
    assert caught.value.code == "timeout"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """A fault of this machine, which ends the run, and not a trial that failed."""
    with pytest.raises(InvalidRunError, match="cannot start the agent"):
        agent_process.converse([str(tmp_path / "python")], JOB, lambda _: None, 5, dict(os.environ))
