"""Runs in S3, asked by SQL: a real server of that protocol, in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.errors import BadInputError
from mobilebench.report import build
from mobilebench.runs.query import query
from mobilebench.runs.remote import is_url
from mobilebench.store.folder import SAMPLES, TABLE, RunFolder
from moto.server import ThreadedMotoServer

GOLDEN = Path(__file__).parents[1] / "golden" / "runs" / "gate-fail"
RESULTS = "SELECT run, recipe, metric, value, reason FROM results ORDER BY ALL"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs with their reports, and their folder."""
    home = tmp_path_factory.mktemp("runs")
    for name in ("a", "b [1]"):
        shutil.copytree(GOLDEN, home / name)
        folder = RunFolder.open(home / name)
        folder.fold_samples()
        build(folder)
    return home


@pytest.fixture(scope="module")
def bucket(runs: Path) -> Iterator[str]:
    """The same runs in a bucket, and the URL of their folder."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="nightly")
        for path in sorted(runs.rglob("*")):
            if path.is_file():
                client.upload_file(str(path), "nightly", f"results/{path.relative_to(runs)}")
        yield "s3://nightly/results"
    server.stop()


@pytest.mark.parametrize("pattern", ["", "/", "/*", "/*/"])
def test_a_bucket_says_what_the_folder_says(runs: Path, bucket: str, pattern: str) -> None:
    assert query([bucket + pattern], RESULTS).rows == query([runs], RESULTS).rows
    folders = query([bucket + pattern], "SELECT DISTINCT folder FROM results ORDER BY 1").rows
    assert folders == ((f"{bucket}/a",), (f"{bucket}/b [1]",))


def test_raw_samples_and_runs_given_twice(runs: Path, bucket: str) -> None:
    sql = "SELECT run, trial, index, ns FROM Samples ORDER BY ALL"
    expected = query([runs / "a"], sql).rows
    assert expected
    assert query([f"{bucket}/a", f"{bucket}/a/"], sql).rows == expected
    both = query([f"{bucket}/a", runs / "a"], "SELECT count(DISTINCT folder) FROM results").rows
    assert both == ((2,),)


def test_only_what_is_asked_for_is_copied(bucket: str, tmp_path: Path) -> None:
    from mobilebench.runs.remote import copy_runs

    for samples in (False, True):
        folders = copy_runs(bucket, tmp_path / str(samples), samples)
        names = {path.name for folder in folders for path in folder.iterdir()}
        assert TABLE in names
        assert "artifacts" not in names
        assert (SAMPLES in names) == samples


def test_a_run_without_its_summary_is_left_out(runs: Path, bucket: str) -> None:
    client = boto3.client("s3")
    client.upload_file(str(runs / "a" / "run.json"), "nightly", "unfinished/c/run.json")
    found = query([bucket, "s3://nightly/unfinished"], "SELECT count(DISTINCT folder) FROM results")
    assert found.rows == ((2,),)
    (note,) = found.notes
    assert note.startswith("s3://nightly/unfinished/c is left out: it has no summary.csv")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://nowhere/results", "s3://nowhere/results"),
        ("s3://nightly/nothing/*", "there is no run"),
        ("s4://nightly/results", "s4"),
        ("sftp://me:secret@127.0.0.1:1/x", "sftp://127.0.0.1:1/x"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(bucket: str, url: str, said: str) -> None:  # noqa: ARG001
    done = CliRunner().invoke(main, ["query", "SELECT 1", url])
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("mobilebench: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_a_missing_package_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> None:  # noqa: ARG001
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(BadInputError, match=r"needs s3fs: pip install 'mobilebench\[s3\]'"):
        query([bucket], "SELECT 1")


def test_what_is_a_url() -> None:
    assert is_url("s3://b/x")
    assert is_url("simplecache::s3://b/x")
    assert not any(map(is_url, ("results", "C:/results", "./s3:/x", Path("s3:/b"))))
