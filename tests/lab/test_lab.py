"""A lab of real processes and certificates: whoever dies, no finished trial is lost or doubled."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from mobilebench.lab import certificates
from mobilebench.lab.client import Lab
from mobilebench.store.folder import RunFolder

from tests.support.laboratory import Laboratory, Process, until
from tests.support.models import MODELS

SMALL = str(MODELS / "small.tflite")


def started(laboratory: Laboratory, results: Path, name: str, blocks: int, *more: str) -> Process:
    return laboratory.client(
        name,
        *("run", SMALL, "--lab", laboratory.address, "--device", "lab:a/local"),
        *("--blocks", str(blocks), "--seconds", "0.05", "--results", str(results), *more),
    )


def folder_in(results: Path) -> RunFolder | None:
    found = [path.parent for path in results.glob("*/run.json")]
    return RunFolder.open(found[0]) if found else None


def ensure_whole(folder: RunFolder, client: Process) -> None:
    """Every planned trial is there once, with its times."""
    attempts = Counter(record.attempt_name for record in folder.attempts())
    assert set(attempts.values()) == {1}, client.said()
    trials = folder.trials()
    assert {t.trial for t in trials} == {t.trial for t in folder.run().plan}, client.said()
    assert {t.state for t in trials} == {"valid"}, client.said()
    timed = {name for name, _ in folder.timings()}
    assert {t.trial for t in trials if t.kind == "latency"} <= timed


def some_are_finished(results: Path) -> RunFolder | None:
    folder = folder_in(results)
    return folder if folder and len(folder.attempts()) >= 2 else None


def test_whoever_dies(laboratory: Laboratory, tmp_path: Path) -> None:
    host = laboratory.join("a", "--compress", "1")

    # Two clients want one device: the second, a gate, waits, and is shown for whom.
    first = started(laboratory, tmp_path / "1", "first", 14)
    until(lambda: some_are_finished(tmp_path / "1"), first.said)
    assert "makes as_is of small for" in host.said()
    policy = tmp_path / "policy.toml"
    policy.write_text("[latency]\nmargin = 1.0\n[memory]\nenabled = false\n")
    second = laboratory.client(
        "second",
        *("gate", "--baseline", SMALL, "--candidate", SMALL, "--speed-only", "--seconds", "0.01"),
        *("--policy", str(policy), "--results", str(tmp_path / "2")),
        *("--lab", laboratory.address, "--device", "lab:any(1)"),
    )
    second.waits_for(r"waiting for a/local: \S+ measures \S+-small there since")
    (there,) = laboratory.status()
    busy = there["devices"][0]["busy"]
    assert busy["run"].endswith("-small")
    lab = Lab(laboratory.address, laboratory.certificates)
    try:
        under_way, waits = lab.asked_for()
        assert (under_way.device, under_way.lane, under_way.run) == (
            "a/local",
            busy["lane"],
            busy["run"],
        )
        assert (waits.device, waits.who) == ("a/local", busy["who"])
        assert waits.lane != busy["lane"]
    finally:
        lab.close()

    # The first client is killed: its lane goes on, and a resume collects what was done meanwhile.
    first.end(signal.SIGKILL)
    folder = folder_in(tmp_path / "1")
    assert folder
    resumed = laboratory.client("resumed", "run", "--resume", str(folder.path))
    assert resumed.ends() == 0, resumed.said()
    ensure_whole(folder, resumed)
    assert second.ends() in (0, 1, 3), second.said()  # a verdict; load may sway it
    found = folder_in(tmp_path / "2")
    assert found
    ensure_whole(found, second)
    recent = laboratory.status()[0]["recent"]
    assert {lane["error"] for lane in recent} == {""}
    assert (len(found.trials()),) * 2 in {(lane["done"], lane["total"]) for lane in recent}

    # The host is killed in the middle of a trial, and comes back.
    third = started(laboratory, tmp_path / "3", "third", 5)
    until(lambda: some_are_finished(tmp_path / "3"), third.said)
    host.end(signal.SIGKILL)
    host = laboratory.join("a")
    assert third.ends() == 0, third.said()
    found = folder_in(tmp_path / "3")
    assert found
    ensure_whole(found, third)

    # The scheduler is killed, and started again.
    fourth = started(laboratory, tmp_path / "4", "fourth", 5)
    until(lambda: some_are_finished(tmp_path / "4"), fourth.said)
    laboratory.scheduler.end(signal.SIGKILL)
    laboratory.serve(laboratory.address.removeprefix("tls://"))
    assert fourth.ends() == 0, fourth.said()
    found = folder_in(tmp_path / "4")
    assert found
    ensure_whole(found, fourth)

    # Ctrl-C ends the lane, too; the run can be resumed.
    fifth = started(laboratory, tmp_path / "5", "fifth", 8)
    until(lambda: some_are_finished(tmp_path / "5"), fifth.said)
    fifth.end(signal.SIGINT)
    assert fifth.process.returncode == 130, fifth.said()
    until(lambda: laboratory.status()[0]["devices"][0]["busy"] is None)
    found = folder_in(tmp_path / "5")
    assert found
    resumed = laboratory.client("resumed", "run", "--resume", str(found.path))
    assert resumed.ends() == 0, resumed.said()
    ensure_whole(found, resumed)


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
