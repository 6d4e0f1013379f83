"""A lab of real processes and certificates: whoever dies, no finished trial is lost or doubled."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from mobilebench.lab import certificates
from mobilebench.lab.client import Lab
from mobilebench.store.folder import RunFolder

from tests.support.laboratory import Laboratory, Process, until
from tests.support.models import MODELS

SMALL = str(MODELS / "small.tflite")


def finished(results: Path, count: int = 2) -> RunFolder | None:
    """The only run there, once so many attempts at its trials have come home."""
    found = [path.parent for path in results.glob("*/run.json")]
    folder = RunFolder.open(found[0]) if found else None
    return folder if folder and len(folder.attempts()) >= count else None


def ensure_whole(folder: RunFolder, client: Process) -> None:
    """Every planned trial is there once, with its times."""
    attempts = Counter(record.attempt_name for record in folder.attempts())
    assert set(attempts.values()) == {1}, client.said()
    trials = folder.trials()
    assert {t.trial for t in trials} == {t.trial for t in folder.run().plan}, client.said()
    assert {t.state for t in trials} == {"valid"}, client.said()
    timed = {name for name, _ in folder.timings()}
    assert {t.trial for t in trials if t.kind == "latency"} <= timed


def test_whoever_dies(laboratory: Laboratory, tmp_path: Path) -> None:
    """One run and one gate, which wait for each other, go through everything that can happen."""
    runs, gates, policy = (tmp_path / name for name in ("runs", "gates", "policy.toml"))
    policy.write_text("[latency]\nmargin = 1.0\n[memory]\nenabled = false\n")
    there = ("--lab", laboratory.address, "--device", "lab:any(1)")
    of_run = ("--blocks", "14", "--seconds", "0.05", "--results", str(runs))
    of_gate = ("--policy", str(policy), "--speed-only", "--seconds", "0.01")
    files = ("--baseline", SMALL, "--candidate", SMALL, "--results", str(gates))

    host = laboratory.join("a", "--compress", "1")
    with closing(Lab(laboratory.address, laboratory.certificates)) as lab:
        # Two clients want one device: the second waits, and is shown for whom.
        run = laboratory.client("run", "run", SMALL, *there, *of_run)
        measured = until(lambda: finished(runs), run.said)
        assert "makes as_is of small for" in host.said()
        gate = laboratory.client("gate", "gate", *files, *there, *of_gate)
        gate.waits_for(r"waiting for a/local: \S+ measures \S+-small there since")
        busy = lab.hosts()[0].devices[0]["busy"]
        under_way, waits = lab.asked_for()
        assert (under_way.device, under_way.lane, under_way.run) == (
            "a/local",
            busy["lane"],
            measured.run().name,
        )
        assert (waits.device, waits.who) == ("a/local", busy["who"])
        assert waits.lane != busy["lane"]

        # A client is killed: its lane goes on, and a resume collects what was done meanwhile.
        run.end(signal.SIGKILL)
        run_again = laboratory.client("run-again", "run", "--resume", str(measured.path))
        compared = until(lambda: finished(gates), gate.said)
        recent, planned = lab.hosts()[0].recent, len(measured.run().plan)
        assert {lane["run"] for lane in recent} == {measured.run().name}
        assert {lane["error"] for lane in recent} == {""}
        assert {lane["total"] for lane in recent} == {planned}
        assert all(lane["done"] >= planned for lane in recent)  # a repeated trial counts twice

        # The host is killed in the middle of a trial, and comes back.
        host.end(signal.SIGKILL)
        known = len(compared.attempts())
        laboratory.join("a")
        until(lambda: finished(gates, known + 2), gate.said)

        # Ctrl-C ends the lane, too; the gate can be resumed.
        gate.end(signal.SIGINT)
        assert gate.process.returncode == 130, gate.said()
        assert run_again.ends() == 0, run_again.said()
        ensure_whole(measured, run_again)
        until(lambda: lab.hosts()[0].devices[0]["busy"] is None)
    known = len(compared.attempts())
    gate_again = laboratory.client("gate-again", "gate", "--resume", str(compared.path))
    until(lambda: finished(gates, known + 1), gate_again.said)

    # The scheduler is killed, and started again.
    laboratory.scheduler.end(signal.SIGKILL)
    laboratory.serve(laboratory.address.removeprefix("tls://"))
    # A verdict: load may sway it, or make latency INVALID.
    assert gate_again.ends() in (0, 1, 3, 4), gate_again.said()
    ensure_whole(compared, gate_again)


def test_who_does_not_belong_to_it(laboratory: Laboratory, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    certificates.create(foreign)
    client = laboratory.client(
        "foreign", "lab", "status", laboratory.address, "--certificates", str(foreign)
    )
    assert client.ends() == 2
    assert "there is no way into the lab" in client.said()
    host = laboratory.client(
        "foreign-host",
        *("lab", "join", laboratory.address, "--device", "local", "--certificates", str(foreign)),
    )
    host.waits_for("cannot join the lab")
    host.end()
    assert not any(at["host"] != "a" for at in laboratory.status())


def test_a_host_of_another_version_does_not_get_in(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from mobilebench.errors import BadInputError
    from mobilebench.lab import service

    monkeypatch.setattr(service, "__version__", "0.0.1")
    with pytest.raises(BadInputError, match=r"this host 0\.0\.1: bring one of them up to date"):
        asyncio.run(
            service.join(laboratory.address, laboratory.certificates, "old", ["local"], print)
        )


def test_lab_devices_need_their_lab(laboratory: Laboratory) -> None:
    client = laboratory.client("no-lab", "run", SMALL, "--device", "lab:*")
    assert client.ends() == 2
    assert "name it by --lab tls://HOST:PORT" in client.said()
    client = laboratory.client("json", "lab", "status", laboratory.address, "--json")
    assert client.ends() == 0
    json.loads(client.said())
