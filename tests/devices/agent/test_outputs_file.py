"""Outputs files of agents that may lie about where they are, and about what is in them."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mobilebench.devices.agent.outputs_file import OutputsFolder, ensure_plain, receiving
from mobilebench.devices.android import app
from mobilebench.devices.base import TrialError
from mobilebench.devices.local.device import LocalDevice

from tests.support.agent import job
from tests.support.samples import read_outputs, write_samples

CONTENT = b"some outputs"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
X = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
FOLDER = re.escape("/data/local/tmp/mobilebench")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/data/local/tmp/mobilebench/outputs-x_1.safetensors", FOLDER),
        ("/storage/emulated/0/Android/data/io.mobilebench.agent/files/outputs/a.st", app.FILES),
        ("/storage/emulated/10/Android/data/io.mobilebench.agent/files/o/a.st", app.FILES),
        ("/sdcard/Android/data/io.mobilebench.agent/files/outputs-1", app.FILES),
    ],
)
def test_paths_where_an_agent_may_write(path: str, folder: str) -> None:
    try:
        ensure_plain(path, folder)
    except TrialError as refusal:
        pytest.fail(refusal.reason)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/data/local/tmp/mobilebench",
        "/data/local/tmp/mobilebench/",
        "/data/local/tmp/mobilebench/../secret",
        "/data/local/tmp/mobilebench/a/../../secret",
        "/data/local/tmp/mobilebench/.hidden",
        "/data/local/tmp/mobilebench//a",
        "/data/local/tmp/mobilebench/a b",
        "/data/local/tmp/mobilebench/a;reboot",
        "/data/local/tmp/mobilebench/$(reboot)",
        "/data/local/tmp/mobilebench/a\n",
        "/data/local/tmp/mobilebench/ä",
        "/data/local/tmp/mobilebenchmark/a",
        "/data/local/tmp/mobilebench/" + 200 * "a",
        "/sdcard/Android/data/io.mobilebench.agent/files/../../../DCIM/photo",
        "/sdcard/Android/data/io_mobilebench_agent/files/a",
        "/sdcard/DCIM/photo",
        "/etc/passwd",
    ],
)
@pytest.mark.parametrize("folder", [FOLDER, app.FILES])
def test_paths_elsewhere(path: str, folder: str) -> None:
    with pytest.raises(TrialError, match="where it was not to write") as caught:
        ensure_plain(path, folder)
    assert caught.value.code == "pull_failed"


def receive(file: Path, blocks: list[bytes]) -> None:
    with receiving(file, SHA256, len(CONTENT)) as part:
        for block in blocks:
            part.write(block)


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([CONTENT[:5]], "are not those reported"),
        ([CONTENT[:-1] + b"!"], "are not those reported"),
        ([CONTENT, b"!"], "more outputs than the 12 bytes reported"),
        ([], "are not those reported"),
    ],
)
def test_another_file_than_was_reported(tmp_path: Path, blocks: list[bytes], words: str) -> None:
    with pytest.raises(TrialError, match=words) as caught:
        receive(tmp_path / "file", blocks)
    assert caught.value.code == "pull_failed"
    assert list(tmp_path.iterdir()) == []


def test_a_whole_file_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with receiving(file, SHA256, len(CONTENT)) as part:
        part.write(CONTENT[:5])
        part.write(CONTENT[5:])
        assert not file.exists()
    assert file.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [file]


def test_no_folder_for_it(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"cannot be stored in .*: No such file"):
        receive(tmp_path / "gone/file", [CONTENT])


def test_a_file_of_an_agent_here_is_moved(tmp_path: Path) -> None:
    outputs = OutputsFolder()
    written = Path(outputs.path) / "outputs-1"
    written.write_bytes(CONTENT)
    outputs.take(str(written), SHA256, len(CONTENT), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not written.exists()
    folder = Path(outputs.path)
    del outputs
    assert not folder.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outputs = OutputsFolder()
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    link = Path(outputs.path) / "outputs-1"
    link.symlink_to(secret)
    for path in (link, link.with_name("outputs-2"), secret):
        with pytest.raises(TrialError) as caught:
            outputs.take(str(path), SHA256, len(CONTENT), tmp_path / "file")
        assert caught.value.code == "pull_failed"
    assert secret.exists()
    assert not (tmp_path / "file").exists()


def test_outputs_of_this_machine(model_file: Path, tmp_path: Path) -> None:
    device = LocalDevice("local", None, tmp_path / "cache")
    wanted = job(model_file, "outputs", **write_samples(tmp_path / "samples", X))
    wanted = replace(wanted, outputs_folder=device.outputs_folder(wanted))
    result = device.run(wanted, lambda _: None, 60)
    file = tmp_path / "answers"
    device.pull(result.outputs, result.outputs_sha256, result.outputs_bytes, file)
    assert read_outputs(file)["0"].shape == (3, 10)
    assert not Path(result.outputs).exists()
    device.discard(wanted.inputs_sha256)
    assert (tmp_path / "samples").exists()
