"""Models that come packed: real agents in processes of their own."""

from __future__ import annotations

import importlib.util
import resource
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench_agent.contract import Error
from mobilebench_agent.packing import unpacked
from mobilebench_agent.runtime import AgentError

from tests.support.agent import ask, job, metrics
from tests.support.models import MODELS, sha256

ZSTD = ("zstandard", "compression")


def packed_job(folder: Path, packing: Any, **settings: Any) -> Any:
    model = MODELS / "small.tflite"
    pack, suffix = PACKERS[packing]
    path = folder / f"model.tflite{suffix}"
    path.write_bytes(pack(model.read_bytes()))
    whole = {
        "packing": packing,
        "unpacked_sha256": sha256(model),
        "unpacked_bytes": model.stat().st_size,
    }
    return job(path, settings.pop("kind", "latency"), **{**whole, **settings})


@pytest.mark.parametrize("packing", ["gzip", "xz", "zstd"])
def test_a_packed_model_runs_like_a_plain_one(
    packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    answer = ask(packed_job(tmp_path, packing))
    if packing == "zstd" and not any(map(importlib.util.find_spec, ZSTD)):
        assert isinstance(answer, Error)
        assert answer.code == "unpacking_unavailable"
        assert "Python 3.14 or the package zstandard" in answer.message
        return
    found = metrics(answer)
    assert 0 < found["unpacking_time"].value < found["initialization_time"].value
    assert found["unpacking_time"].unit == "ns"
    assert len(answer.samples_ns) == 20
    assert not list((tmp_path / "temporary").glob("mobilebench-*")), "nothing is left behind"


def test_memory_is_read_of_a_packed_model_too(tmp_path: Path) -> None:
    found = metrics(ask(packed_job(tmp_path, "gzip", kind="memory")))
    assert found["unpacking_time"].value > 0
    assert "initialization_time" not in found


@pytest.fixture(params=["gzip", "xz", "zstd"])
def packing(request: pytest.FixtureRequest) -> str:
    if request.param == "zstd" and not any(map(importlib.util.find_spec, ZSTD)):
        pytest.skip("neither zstandard nor compression.zstd is there")
    return str(request.param)


def test_what_does_not_unpack_to_the_model(packing: str, tmp_path: Path) -> None:
    wrong = ask(packed_job(tmp_path, packing, unpacked_sha256="0" * 64))
    assert isinstance(wrong, Error)
    assert wrong.code == "model_corrupt"
    assert "not the model that was packed" in wrong.message
    whole = packed_job(tmp_path, packing)
    path = Path(whole.model)
    path.write_bytes(path.read_bytes()[:-20])
    torn = ask(replace(whole, model_sha256=sha256(path)))
    assert isinstance(torn, Error)
    assert torn.code == "model_corrupt"
    # The package zstandard takes a torn file for the end: the hash tells.
    assert f"with {packing}" in torn.message or packing == "zstd"


def test_what_unpacks_without_end_is_stopped(
    packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    bomb = tmp_path / "bomb"
    bomb.write_bytes(PACKERS[packing][0](bytes(20_000_000)))  # type: ignore[index]
    assert bomb.stat().st_size < 100_000
    endless = ask(
        replace(packed_job(tmp_path, packing), model=str(bomb), model_sha256=sha256(bomb))
    )
    assert isinstance(endless, Error)
    assert endless.code == "model_corrupt"
    assert f"more than the {(MODELS / 'small.tflite').stat().st_size} bytes" in endless.message
    assert not list(tmp_path.glob("mobilebench-*"))


def test_without_room_nothing_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed_job(tmp_path, "gzip")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(AgentError, match="cannot write the 5028 bytes") as caught, unpacked(whole):
        pass
    assert caught.value.code == "unpacking_unavailable"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # A file of no bytes at all is the largest that this process may write.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(AgentError, match="File too large") as caught, unpacked(whole):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "unpacking_unavailable"
