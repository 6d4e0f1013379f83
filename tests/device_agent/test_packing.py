"""Models that come packed: real agents in processes of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from device_agent.contract import Error
from harness.compress.pack import PACKERS
from tests.conftest import MODELS, sha256
from tests.device_agent.test_agent import ask, job, metrics


def packed_job(folder: Path, packing: Any, **settings: Any) -> Any:
    model = MODELS / "small.tflite"
    pack, suffix = PACKERS[packing]
    path = folder / f"model.tflite{suffix}"
    path.write_bytes(pack(model.read_bytes()))
    whole = {"packing": packing, "unpacked_sha256": sha256(model)}
    return job(path, settings.pop("kind", "latency"), **{**whole, **settings})


@pytest.mark.parametrize("packing", ["gzip", "xz", "zstd"])
def test_a_packed_model_runs_like_a_plain_one(
    packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    answer = ask(packed_job(tmp_path, packing))
    known = [importlib.util.find_spec(name) for name in ("zstandard", "compression")]
    if packing == "zstd" and not any(known):
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


@pytest.mark.parametrize("packing", ["gzip", "xz"])
def test_what_does_not_unpack_to_the_model(packing: str, tmp_path: Path) -> None:
    wrong = ask(packed_job(tmp_path, packing, unpacked_sha256="0" * 64))
    assert isinstance(wrong, Error)
    assert wrong.code == "model_corrupt"
    assert "not the model that was packed" in wrong.message
    whole = packed_job(tmp_path, packing)
    path = Path(whole.model)
    path.write_bytes(path.read_bytes()[:-20])
    torn = ask(job(path, "latency", packing=whole.packing, unpacked_sha256=whole.unpacked_sha256))
    assert isinstance(torn, Error)
    assert torn.code == "model_corrupt"
    assert f"with {packing}" in torn.message
