"""What a lab is made of, without a lab."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from mobilebench.devices import interrupt
from mobilebench.errors import BadInputError, DeviceError, InterruptedRunError
from mobilebench.lab import certificates, host, lane, shard
from mobilebench.lab.client import Lab, LabHost, choose, comings, split
from mobilebench.runs import lanes, run
from mobilebench.store.folder import ANSWERS, RunFolder
from mobilebench.suite.schema import Suite
from mobilebench.version import __version__

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shard, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def test_certificates_are_the_owners_alone_and_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    certificates.create(folder)
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert certificates.security(folder).require_encryption
    with pytest.raises(BadInputError, match="shuts out everybody"):
        certificates.create(folder)
    (folder / certificates.MEMBER_KEY).unlink()
    with pytest.raises(BadInputError, match=r"there is no .*member\.key: copy"):
        certificates.security(folder)


def test_a_file_arrives_in_parts_and_whole() -> None:
    content = bytes(range(256)) * 5
    name = f"{hashlib.sha256(content).hexdigest()}.tflite"
    assert shard.missing([name]) == [name]
    shard.put(name, 0, content[:1000], False, "a1")
    assert shard.missing([name]) == [name]
    # Somebody else sends the same file meanwhile.
    shard.put(name, 0, content[:500], False, "b2")
    shard.put(name, 1000, content[1000:], True, "a1")
    assert shard.missing([name]) == []
    assert shard.file_here(name).read_bytes() == content
    shard.put(name, 500, content[500:], True, "b2")
    assert shard.file_here(name).read_bytes() == content
    with pytest.raises(BadInputError, match="is no sender"):
        shard.put(name, 0, content, True, "../a")


def test_a_file_that_is_another_is_not_kept() -> None:
    name = f"{hashlib.sha256(b'one').hexdigest()}.tflite"
    with pytest.raises(BadInputError, match="did not arrive as it was sent"):
        shard.put(name, 0, b"two", True, "a1")
    assert shard.missing([name]) == [name]


@pytest.mark.parametrize("name", ["../../x.tflite", "a/b.tflite", ".tflite", "a", "ä.tflite", ""])
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(BadInputError, match="is no file of a run"):
        shard.missing([name])


@pytest.mark.parametrize("lane", ["", "..", "a/b", "ä"])
def test_lanes_that_lead_elsewhere(lane: str) -> None:
    with pytest.raises(BadInputError, match="is no lane"):
        shard.attempts(lane, [])


def test_attempts_go_home_each_once() -> None:
    source = RunFolder.open(GOLDEN / "gate-fail")
    path = shard.shard_path("abc")
    path.parent.mkdir(parents=True)
    path.symlink_to(source.path)
    everything = shard.attempts("abc", [])
    assert len(everything) == len(source.attempts()) > 2
    timed = dict(source.attempt_timings())
    for attempt, record in zip(everything, source.attempts(), strict=True):
        assert (attempt.times is not None) == (record.attempt_name in timed)
        stored = source.path / ANSWERS / f"{record.attempt_name}.safetensors"
        assert (attempt.answers is not None) == stored.exists()
    known = [record.attempt_name for record in source.attempts()[:2]]
    assert shard.attempts("abc", known) == everything[2:]
    assert shard.attempts("abc", [], most_bytes=1) == everything[:1]
    assert shard.attempts("unknown", []) == []


def opened(name: str = "abc", **changes: Any) -> RunFolder:
    """A lane's folder as a host makes it of the plan and files of a stored run."""
    run = RunFolder.open(GOLDEN / "gate-fail").run().model_copy(update=changes)
    for file in shard.files_of(run, RunFolder(Path())):
        here = shard.file_here(file)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_bytes(b"a file")
    return shard.open_shard(name, run.document())


def test_a_folder_that_was_not_finished_is_made_anew() -> None:
    (shard.shard_path("abc") / "artifacts").mkdir(parents=True)
    assert opened().run().plan
    assert opened().attempts() == []


def test_a_lane_with_other_trials_or_files_is_refused() -> None:
    run = opened().run()
    first, *others = run.artifacts
    changed = first.model_copy(update={"sha256": "0" * 64})
    for changes in ({"plan": run.plan[1:]}, {"artifacts": (changed, *others)}):
        with pytest.raises(BadInputError, match="other files on its host: start a new run"):
            opened(**changes)


def test_a_lane_goes_on_with_more_trials_at_a_gates_second_look() -> None:
    run = opened(state="finished").run()
    longer = (*run.plan, replace(run.plan[0], trial="more"))
    after = opened(plan=longer).run()
    assert after.plan == longer
    # Else there would be nothing left to do.
    assert after.state == "interrupted"
    with pytest.raises(BadInputError, match="another plan"):
        opened(plan=run.plan)


def test_a_host_without_a_lanes_folder_goes_on_after_the_clients_attempts() -> None:
    source = RunFolder.open(GOLDEN / "gate-fail")
    names = [record.attempt_name for record in source.attempts()]
    assert shard.lacking("abc", names) == names
    here = opened()
    shard.restore(here, shard.history(source, names[:2]))
    assert here.attempts() == source.attempts()[:2]
    assert shard.lacking("abc", names) == names[2:]
    # What is there already, or is followed by a later attempt, is not appended again.
    shard.restore(here, shard.history(source, names))
    assert [record.attempt_name for record in here.attempts()] == names
    assert shard.attempts("abc", names) == []
    with pytest.raises(BadInputError, match="a client sent what is no trial"):
        shard.restore(here, [shard.Attempt("{}")])


class Lanes:
    """A host whose lanes are processes that end at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import distributed

        self.started: list[str] = []
        host.take_part_as(host.Host("a"))
        monkeypatch.setattr(host, "_started", self._start)
        monkeypatch.setattr(distributed, "get_worker", lambda: self)

    def log_event(self, topic: str, message: object) -> None:
        """Nobody listens."""

    def _start(self, asked: host.Lane) -> host.Running:
        self.started.append(asked.token)
        said = json.dumps({"error": f"by {asked.token}", "code": "lost"})
        process = subprocess.Popen(
            [sys.executable, "-c", f"print({said!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        errors = tempfile.TemporaryFile()  # noqa: SIM115
        return host.Running(asked.token, process, errors, asked.device, asked.who, "", "", 0, "P1")


def test_a_task_that_comes_again_does_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = Lanes(monkeypatch)
    first, second = (host.Lane("abc", token, {}, "P1", "ann@laptop") for token in "12")
    for asked, count in ((first, 1), (first, 1), (second, 2), (first, 2)):
        said = {"error": f"by {asked.token}", "code": "lost"}
        assert host.carry_out(asked).or_raise() == said
        assert len(lanes.started) == count


def test_a_lane_that_is_stopped_in_the_queue_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = Lanes(monkeypatch)
    host.stop("abc", "1").or_raise()
    outcome = host.carry_out(host.Lane("abc", "1", {}, "P1", "ann@laptop")).or_raise()
    assert outcome["error"] == "it was stopped"
    assert not lanes.started


def test_a_lane_reports_the_reason_without_its_hosts_own_command(tmp_path: Path) -> None:
    def raised(error: InterruptedRunError | DeviceError, cause: BaseException) -> str:
        error.__cause__ = cause
        return lane.reason(error)

    lost = DeviceError("P1 is gone; go on with: x", "lost", folder=tmp_path)
    assert raised(lost, DeviceError("P1 is gone", "lost")) == "P1 is gone"
    stopped = InterruptedRunError("interrupted; go on with: x", folder=tmp_path)
    assert raised(stopped, KeyboardInterrupt()) == "it was stopped"
    assert lane.reason(BadInputError("no such run")) == "no such run"


def test_what_a_lab_cannot_score_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere:
        name = "P1"

        def carry_out(self) -> None:
            """What distinguishes such a device."""

    def made(*_: object, **__: object) -> None:
        raise AssertionError("something was made")

    scored = tmp_path / "data.py"
    scored.write_text("def evaluate(outputs, labels):\n    return 1.0\n")
    small = str(GOLDEN.parents[1] / "models" / "small.tflite")
    suite = Suite.model_validate(
        {
            "models": [{"name": "m", "source": small, "data": str(scored)}],
            "devices": [{"name": "P1", "kind": "local"}],
        }
    )
    found = (lanes.Lane(suite.devices[0], cast("Any", Elsewhere()), cast("Any", None)),)
    monkeypatch.setattr(lanes, "look", lambda *_: (found, {}))
    monkeypatch.setattr(run, "compress_variants", made)
    with pytest.raises(BadInputError, match="P1: the answers of m are scored by functions"):
        run.start(suite, tmp_path, [], run.Quiet())


def test_who_waits_for_an_absent_host_can_be_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Never:
        def result(self, timeout: float) -> None:
            raise TimeoutError(f"nothing came within {timeout} s")

        def release(self) -> None:
            """Nothing is held."""

    there, stop = Lab("tls://lab:1", tmp_path), threading.Event()
    monkeypatch.setattr(there, "submit", lambda *_: Never())
    stop.set()
    with interrupt.heeding(stop), pytest.raises(KeyboardInterrupt):
        there.ask("host:a", host.look)
    with pytest.raises(DeviceError, match="has not answered within 0 s"):
        there.ask("host:a", host.look, seconds=0.0)


def device(key: str, **more: Any) -> dict[str, Any]:
    empty = {"serial": "", "model": "", "android": "", "soc": "", "advice": "", "busy": None}
    return {"id": key, **empty, **more}


class There:
    """A lab whose hosts are given."""

    address = "tls://lab:1"

    def __init__(self, *hosts: LabHost) -> None:
        self._hosts = hosts

    def hosts(self) -> tuple[LabHost, ...]:
        return self._hosts


def three(of: str = __version__) -> Lab:
    """Three devices that are ready, on two hosts, and one that is not."""
    there = There(
        LabHost(
            "a",
            of,
            (
                device("P1", model="Pixel 9", soc="Tensor G4", busy={"who": "ann"}, android="16"),
                device("P2", model="Galaxy S23", soc="SM8550", android="15"),
                device("P3", model="Pixel 9", soc="Tensor G3", advice="locked: unlock its screen"),
            ),
        ),
        LabHost(
            "Rack 2",
            of,
            (device("P4", model="pixel 9", soc="brcm,bcm2711", serial="127.0.0.1:5555"),),
        ),
    )
    return cast("Lab", there)


@pytest.mark.parametrize(
    ("selector", "keys"),
    [
        ("lab:*", ["a/P1", "a/P2", "Rack 2/P4"]),
        ("lab:soc=SM8550", ["a/P2"]),
        ("lab:SoC = sm8550 ", ["a/P2"]),
        ("lab:soc=BRCM,bcm2711", ["Rack 2/P4"]),
        ("lab:model=Pixel 9", ["a/P1", "Rack 2/P4"]),
        ("lab:model=  pixel   9", ["a/P1", "Rack 2/P4"]),
        ("lab:android=15", ["a/P2"]),
        ("lab:host=rack 2", ["Rack 2/P4"]),
        ("lab:a/P2", ["a/P2"]),
        ("lab:A/p2", ["a/P2"]),
        ("lab:Rack 2/127.0.0.1:5555", ["Rack 2/P4"]),
        # Free ones first.
        ("lab:any(2)", ["a/P2", "Rack 2/P4"]),
        ("lab:ANY( 3 )", ["a/P2", "Rack 2/P4", "a/P1"]),
    ],
)
def test_selectors(selector: str, keys: list[str]) -> None:
    assert choose(three(), [selector]) == tuple(f"tls://lab:1/{key}" for key in keys)


def test_a_device_that_two_selectors_mean_is_measured_once() -> None:
    found = choose(three(), ["lab:a/P2", "lab:*"])
    assert sorted(found) == [f"tls://lab:1/{key}" for key in ("Rack 2/P4", "a/P1", "a/P2")]


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("lab:any(4)", "asks for 4 devices, and 3 of the lab at tls://lab:1 are ready: a/P1, a/P2"),
        ("lab:any(0)", "asks for 0 devices"),
        ("lab:any(-1)", "means no device"),
        ("lab:any()", "means no device"),
        ("lab:soc=SM1", "those that are ready have SoC Tensor G4, SM8550, brcm,bcm2711"),
        ("lab:model=Pixel", "those that are ready have model Pixel 9, Galaxy S23, pixel 9"),
        ("lab:model=Pixel 9,soc=SM8550", "those that are ready have model"),
        ("lab:android=12", "those that are ready have Android 16, 15, unknown"),
        ("lab:host=c", "those that are ready have host a, Rack 2"),
        ("lab:soc=tensor g3", "no ready device lab:soc=tensor g3: a/P3 is locked: unlock its"),
        ("lab:a/P3", "no ready device lab:a/P3: a/P3 is locked: unlock its screen"),
        ("lab:b/P1", "no ready device lab:b/P1; it has: a/P1, a/P2, Rack 2/P4"),
        ("lab:modell=Pixel 9", "did you mean model="),
        ("lab:model=", "means no device"),
        ("lab:Pixel 9", "means no device"),
        ("lab:", "means no device"),
    ],
)
def test_selectors_that_mean_nothing(selector: str, words: str) -> None:
    with pytest.raises(BadInputError) as caught:
        choose(three(), [selector])
    assert words in str(caught.value)


def test_a_lab_without_devices() -> None:
    with pytest.raises(BadInputError, match="the lab at tls://lab:1 has no device"):
        choose(cast("Lab", There(LabHost("a", __version__, ()))), ["lab:*"])


def test_devices_of_a_lab_are_watched_as_they_come() -> None:
    there = three()
    look = comings(there, ["lab:model=pixel 9", "lab:a/P1"])
    assert [found.serial for found in look()] == ["a/P1", "Rack 2/P4"]
    assert look()[1].address == "tls://lab:1/Rack 2/P4"

    def lost() -> None:
        raise DeviceError("the lab was lost", "lost")

    there.hosts = lost  # type: ignore[method-assign, assignment]
    # They have not gone, as far as is known.
    assert len(look()) == 2
    there.hosts = lambda: ()  # type: ignore[method-assign]
    assert look() == []
    with pytest.raises(BadInputError, match="does not say which devices are waited for"):
        comings(there, ["lab:any(1)"])


@pytest.mark.parametrize("address", ["lab:8786", "tcp://h:1", "tls://h", "tls://h:1/a/P1", ""])
def test_addresses_of_no_lab(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"is no lab, as tls://HOST:PORT"):
        Lab(address, tmp_path)
    assert Lab("tls://h:1/ ", tmp_path).address == "tls://h:1"


def test_a_host_of_another_version() -> None:
    with pytest.raises(BadInputError, match=r"lab host a has MobileBench 0\.0\.1, this is"):
        choose(three("0.0.1"), ["lab:*"])


def test_an_older_host_is_refused_by_its_version_and_not_by_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Lab("tls://lab:1", tmp_path)
    seen = {"host": "a", "version": "0.0.1", "devices": [{"id": "P1"}]}
    monkeypatch.setattr(there, "_workers", lambda _prefix: ("a",))
    monkeypatch.setattr(there, "ask", lambda *_, **__: seen)
    with pytest.raises(BadInputError, match=r"lab host a has MobileBench 0\.0\.1, this is"):
        choose(there, ["lab:*"])


def test_addresses() -> None:
    assert split("tls://h:8786/a/P1") == ("tls://h:8786", "a", "P1")
    for wrong in ("tls://h/a/P1", "tls://h:1/a", "tcp://h:1/a/b", "tls://h:1/a/b/c", "tls://h:1//"):
        with pytest.raises(BadInputError, match="is no device of a lab"):
            split(wrong)
