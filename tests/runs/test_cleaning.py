"""What is removed of the cache and of devices, and what stays."""

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.devices.sent_files import Removed, clean
from mobilebench.errors import BadInputError
from mobilebench.runs import cleaning
from mobilebench.text import size_of

DAY = 24 * 3600.0


def file(root: Path, name: str, size: int, days: float) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    used = time.time() - days * DAY
    os.utime(path, (used, used))
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_the_longest_unused_goes_first(cache: Path) -> None:
    old = file(cache, "tflite/a.tflite", 100, 9)
    seal = file(cache, "models/m.keras.sha256", 64, 5)
    model = file(cache, "models/m.keras", 1000, 5)
    references = file(cache, "references/r/0.safetensors", 500, 2)
    new = file(cache, "tflite/b.tflite", 100, 1)
    os.utime(references.parent, (1, 1))
    done = cleaning.clean_cache(700)
    assert done.removed == Removed(2, 1164, 600)
    assert [p.exists() for p in (old, seal, model, references, new)] == [False] * 3 + [True] * 2
    assert cleaning.clean_cache(0).removed == Removed(2, 600, 0)
    assert not references.parent.exists()


def test_what_cannot_be_made_again_stays(cache: Path) -> None:
    kept = [
        file(cache, name, 10, 99)
        for name in ("noise/d/x.json", "battery/p.json", "own-code/r.json", "crashes/c.log")
    ]
    fresh = file(cache, "tflite/new.tflite", 10, 0)
    gone = [
        file(cache, name, 10, 99)
        for name in ("agent-1.pyz", "logs/compress-1.log", "making-x/part", "artifacts/k.json")
    ]
    os.utime(cache / "making-x", (1, 1))
    assert cleaning.clean_cache(0).removed == Removed(4, 40, 10)
    assert all(path.exists() for path in (*kept, fresh))
    assert not any(path.exists() for path in gone)


def test_what_a_lab_host_keeps_for_runs_goes_after_a_month(cache: Path) -> None:
    kept = file(cache, "lab/lanes/a/run.json", 10, 29)
    fresh = file(cache, "lab/files/b.tflite", 10, 0)
    gone = [file(cache, name, 10, 31) for name in ("lab/files/a.tflite", "lab/lanes/b/run.json")]
    assert cleaning.clean_cache(0).removed == Removed(2, 20, 10)
    assert kept.exists()
    assert fresh.exists()
    assert not any(path.exists() for path in gone)


def test_a_cache_that_is_not_there(cache: Path) -> None:
    cache.rmdir()
    assert cleaning.clean_cache(0).removed == Removed()


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500MB", 500_000_000), ("1.5 g", 1_500_000_000), ("7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1e9", "1 PB", "٣", "9" * 99, "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(BadInputError, match="is no size, as 20GB"):
        size_of(text)


def test_the_cache_keeps_to_a_limit(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = file(cache, "tflite/a.tflite", 100, 9)
    cleaning.keep_to_limit()
    assert old.exists()
    monkeypatch.setenv(cleaning.LIMIT, "lots")
    with pytest.raises(BadInputError, match="MOBILEBENCH_CACHE_LIMIT: 'lots' is no size"):
        cleaning.keep_to_limit()
    monkeypatch.setenv(cleaning.LIMIT, "50")
    cleaning.keep_to_limit()
    assert not old.exists()


def test_only_our_own_files_are_removed_from_a_device() -> None:
    digest = "a1" * 32
    listing = (
        f"100 50 {digest}.tflite\n200 60 {digest}.pyz\n30 70 outputs-1.safetensors\n"
        "5 1 lease\n5 1 notes.txt\n5 1 -rf\n5 1 a; reboot\n5 1\nx y z\n"
    )
    asked: list[str] = []

    def shell(text: str) -> str:
        asked.append(text)
        return listing

    assert clean(shell, "/data/local/tmp/mobilebench", 230) == Removed(1, 100, 230)
    assert asked[1:] == [f"cd /data/local/tmp/mobilebench && rm -f -- {digest}.tflite; true"]


def test_the_command(cache: Path) -> None:
    file(cache, "tflite/a.tflite", 2_000_000, 9)
    done = CliRunner().invoke(main, ["clean", "--cache", "--keep", "1MB"])
    assert (done.exit_code, done.output) == (0, "cache: removed 1 file (2.0 MB), 0.0 MB left\n")
    done = CliRunner().invoke(main, ["clean"])
    assert done.exit_code == 2
    assert "say what is to be cleaned: --cache, --device" in done.output
    done = CliRunner().invoke(main, ["clean", "--device", "local"])
    assert (done.exit_code, done.output) == (4, "local: nothing is sent to it\n")
