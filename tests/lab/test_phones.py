"""A lab host with a phone behind a real adb server: what cables and hosts do to a lane."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from mobilebench.devices.adb.client import AdbDevice, AdbServer
from mobilebench.devices.android.app import Apk
from mobilebench.store.folder import RunFolder

from tests.phone.android import PACKAGE, Android, Package
from tests.phone.fixtures import Connect
from tests.support.laboratory import Laboratory, Process, until
from tests.support.models import MODELS

SUITE = f"""
name = "on-phones"

[protocol]
blocks = 12
warmup_seconds = 0.0
seconds = 0.0
runs = 10
cooldown_seconds = 0.0

[[models]]
name = "small"
source = "{MODELS / "small.tflite"}"
recipes = ["as_is"]
"""


def test_a_phone_and_its_host_come_back_under_other_serials(
    laboratory: Laboratory, pixel: Android, connect: Connect, adb: AdbServer, tmp_path: Path
) -> None:
    apk = Apk.described()
    pixel.know(apk.path, Package(apk.version))
    pixel.installed[PACKAGE] = Package(apk.version)
    connect(pixel.phone)

    def moved() -> None:
        """Unplugged in mid-trial, and plugged in elsewhere."""
        before = pixel.phone.serial
        pixel.phone.rewire()
        adb.disconnect(before)
        adb.connect(pixel.phone.serial)
        assert AdbDevice(adb, pixel.phone.serial).wait(120)

    def finished(more: int) -> RunFolder | None:
        found = [path.parent for path in results.glob("*/run.json")]
        folder = RunFolder.open(found[0]) if found else None
        return folder if folder and len(folder.attempts()) >= more else None

    suite, results = tmp_path / "suite.toml", tmp_path / "results"
    suite.write_text(SUITE)
    host = laboratory.join("rack", device="all", comes=r"\S+")
    there = ("--lab", laboratory.address, "--device", "lab:model=pixel 7  pro")
    client = laboratory.client("run", "run", str(suite), "--results", str(results), *there)
    until(lambda: finished(2), client.said)

    # The host is killed in mid-trial; when it is back, its adb knows the phone by another serial.
    host.end(signal.SIGKILL)
    moved()
    again = laboratory.join("rack", device="all", comes=r"\S+")
    until(lambda: finished(5), client.said)

    # The phone alone is unplugged in mid-trial, and has another serial when it is back.
    moved()
    assert not finished(12)
    assert client.ends() == 0, client.said() + again.said()
    whole(finished(12), client)


def whole(folder: RunFolder | None, client: Process) -> None:
    """Every planned trial is there once: none was lost, and none measured twice."""
    assert folder
    run = folder.run()
    assert set(Counter(r.attempt_name for r in folder.attempts()).values()) == {1}
    finals = Counter(record.trial for record in folder.attempts() if record.is_final)
    assert finals == Counter(trial.trial for trial in run.plan)
    assert {trial.state for trial in folder.trials()} == {"valid"}, client.said()
    assert run.state == "finished"
    assert {facts.info["serialno"] for facts in run.devices} == {"28301FDH3000AB"}
