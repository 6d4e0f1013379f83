"""What a lab is made of, without a lab."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest
from mobilebench.errors import BadInputError
from mobilebench.lab import certificates, shard
from mobilebench.lab.client import LabHost, choose, split
from mobilebench.store.folder import ANSWERS, RunFolder

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
    shard.put(name, 0, content[:1000], False)
    assert shard.missing([name]) == [name]
    shard.put(name, 1000, content[1000:], True)
    assert shard.missing([name]) == []
    assert shard.file_here(name).read_bytes() == content


def test_a_file_that_is_another_is_not_kept() -> None:
    name = f"{hashlib.sha256(b'one').hexdigest()}.tflite"
    with pytest.raises(BadInputError, match="did not arrive as it was sent"):
        shard.put(name, 0, b"two", True)
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


def device(key: str, **more: Any) -> dict[str, Any]:
    empty = {"model": "", "android": "", "soc": "", "advice": "", "busy": None}
    return {"id": key, **empty, **more}


class There:
    """A lab whose hosts are given."""

    address = "tls://lab:1"

    def __init__(self, *hosts: LabHost) -> None:
        self._hosts = hosts

    def hosts(self) -> tuple[LabHost, ...]:
        return self._hosts


def version() -> str:
    from mobilebench.version import __version__

    return __version__


def three(of: str | None = None) -> There:
    return There(
        LabHost(
            "a",
            of or version(),
            (
                device("P1", model="Pixel 9", soc="Tensor G4", busy={"who": "ann"}),
                device("P2", model="Galaxy S23", soc="SM8550"),
                device("P3", model="Pixel 9", advice="locked"),
            ),
        ),
        LabHost("b", of or version(), (device("P4", model="pixel 9", soc="Tensor G4"),)),
    )


@pytest.mark.parametrize(
    ("selector", "keys"),
    [
        ("lab:*", ["a/P1", "a/P2", "b/P4"]),
        ("lab:soc=SM8550", ["a/P2"]),
        ("lab:model=Pixel 9", ["a/P1", "b/P4"]),
        ("lab:host=b", ["b/P4"]),
        ("lab:a/P2", ["a/P2"]),
        # Free ones first.
        ("lab:any(2)", ["a/P2", "b/P4"]),
        ("lab:any(3)", ["a/P2", "b/P4", "a/P1"]),
    ],
)
def test_selectors(selector: str, keys: list[str]) -> None:
    assert choose(three(), [selector]) == tuple(f"tls://lab:1/{key}" for key in keys)  # type: ignore[arg-type]


def test_a_device_that_two_selectors_mean_is_measured_once() -> None:
    found = choose(three(), ["lab:a/P2", "lab:*"])  # type: ignore[arg-type]
    assert sorted(found) == [f"tls://lab:1/{key}" for key in ("a/P1", "a/P2", "b/P4")]


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("lab:any(4)", "asks for 4 devices, and 3 are ready"),
        ("lab:any(0)", "asks for 0 devices"),
        ("lab:soc=SM1", "has no ready device lab:soc=SM1; it has: a/P1, a/P2, b/P4"),
        ("lab:a/P3", "has no ready device"),
        ("lab:modell=Pixel 9", "did you mean model="),
        ("lab:", "means no device"),
    ],
)
def test_selectors_that_mean_nothing(selector: str, words: str) -> None:
    with pytest.raises(BadInputError) as caught:
        choose(three(), [selector])  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_a_host_of_another_version() -> None:
    with pytest.raises(BadInputError, match=r"lab host a has MobileBench 0\.0\.1, this is"):
        choose(three("0.0.1"), ["lab:*"])  # type: ignore[arg-type]


def test_addresses() -> None:
    assert split("tls://h:8786/a/P1") == ("tls://h:8786", "a", "P1")
    for wrong in ("tls://h/a/P1", "tls://h:1/a", "tcp://h:1/a/b", "tls://h:1/a/b/c", "tls://h:1//"):
        with pytest.raises(BadInputError, match="is no device of a lab"):
            split(wrong)
