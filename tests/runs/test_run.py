"""Whole runs through the command: ready models, the real agent, this machine."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mobilebench as mb
import numpy as np
import pytest
from mobilebench import clock
from mobilebench.store.folder import RunFolder

from tests.support.command import MOBILEBENCH, mobilebench, only_run, start
from tests.support.models import MODELS
from tests.support.suites import QUICK, model, start_a_long_run, suite


def test_a_requirement_without_labels_is_refused_before_measuring(
    tmp_path: Path,
) -> None:
    path = suite(tmp_path, model("small", "small.tflite", "max_accuracy_loss = 0.01"))
    done = mobilebench("run", path, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert "asks for max_accuracy_loss, and without labelled data" in done.stderr
    assert not list((tmp_path / "results").iterdir())


def test_ready_models_without_tensorflow(tmp_path: Path) -> None:
    data = tmp_path / "digits.npz"
    x = np.random.default_rng(0).random((30, 8, 8, 1), dtype=np.float32)
    np.savez(data, x_test=x, y_test=np.arange(30) % 10)
    more = f'data = "{data}"\nmin_accuracy = 0.9\n'
    more += f'[models.ready]\n"by hand" = "{MODELS / "small_int8.tflite"}"\n'
    path = suite(tmp_path, model("small", "small.tflite", more))
    done = mobilebench("run", path, "--results", tmp_path / "results", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "finished"
    assert [v["recipe"] for v in document["variants"]] == ["as_is", "by hand"]
    assert document["exit_code"] == 0
    # Both guess.
    assert [v["accuracy_requirement"] for v in document["variants"]] == ["missed", "missed"]

    run = only_run(tmp_path / "results")
    found = run.run()
    assert found.state == "finished"
    assert [t.trial for t in run.trials()] == [p.trial for p in found.plan]
    samples = dict(run.samples())
    latency = [t for t in run.trials() if t.kind == "latency"]
    assert len(latency) == 4
    assert all(samples[t.trial].size == t.samples == 10 for t in latency)
    assert {p.name for p in run.path.iterdir()} >= {
        "run.json", "trials.jsonl", "samples.parquet", "summary.csv", "report.md", "report.html",
        "artifacts",
    }  # fmt: skip
    assert str(tmp_path) not in (run.path / "run.json").read_text().replace(
        json.dumps(found.command, indent=1), ""
    ).replace(str(path), "").replace(str(tmp_path / "results"), "")

    before = {p.name: p.read_bytes() for p in run.path.glob("report.*")}
    rebuilt = mobilebench("report", run.path)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert {p.name: p.read_bytes() for p in run.path.glob("report.*")} == before
    for form in ("markdown", "csv", "latex", "json", "terminal"):
        shown = mobilebench("report", run.path, "--format", form)
        assert shown.returncode == 0, shown.stderr
        assert "by hand" in shown.stdout


def test_a_model_that_is_sent_packed(tmp_path: Path) -> None:
    runtimes = '[[runtimes]]\nname = "plain"\n[[runtimes]]\nname = "packed"\npacked = "gzip"\n'
    path = suite(tmp_path, model("small", "small.tflite"), rest=runtimes)
    done = mobilebench("run", path, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path / "results")
    (entry,) = run.run().artifacts
    packed = run.artifact(f"{entry.sha256}.tflite.gz")
    assert packed.stat().st_size == entry.sizes["gzip"]
    assert gzip.decompress(packed.read_bytes()) == (MODELS / "small.tflite").read_bytes()
    for trial in run.trials():
        assert trial.state == "valid"
        told = {metric.name: metric.value for metric in trial.metrics}
        assert ("unpacking_time" in told) == (trial.runtime == "packed")
        if trial.kind == "latency" and trial.runtime == "packed":
            assert 0 < told["unpacking_time"] < told["initialization_time"]


def test_a_sustained_run(tmp_path: Path) -> None:
    """Two real seconds, cut into quarters."""
    files = (MODELS / "small.tflite", MODELS / "small_int8.tflite")
    command = ("run", *files, "--sustained-minutes", 2 / 60, "--json", "--results", tmp_path)
    done = mobilebench(*command)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert len(document["sustained"]) == 2
    folder = only_run(tmp_path)
    for told, row in zip(document["sustained"], document["variants"], strict=True):
        (trial,) = told["trials"]
        assert [minute["number"] for minute in trial["minutes"]] == [0, 1, 2, 3]
        assert sum(minute["n"] for minute in trial["minutes"]) == row["samples"]
        assert row["sustained_steady_ns"] == trial["steady"] > 0
        assert row["latency_trials"] == 1
    page = (folder.path / "report.html").read_text()
    assert "Sustained latency" in page
    assert "Latency over the minutes" in page

    burst = mobilebench("run", *files, "--blocks", 1, "--seconds", 0, "--results", tmp_path / "b")
    assert burst.returncode == 0, burst.stderr
    refused = mobilebench("compare", folder.path, only_run(tmp_path / "b").path)
    assert refused.returncode == 2
    assert "another mode (burst, not sustained, 0.0333333 min)" in refused.stderr


def test_a_sustained_run_reports_clocks_and_heat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a written tree, since few machines that test have sensors."""
    policy = "sys/devices/system/cpu/cpufreq/policy0"
    for name, text in {
        f"{policy}/related_cpus": "0 1 2 3",
        f"{policy}/scaling_cur_freq": "1400000",
        f"{policy}/scaling_max_freq": "1800000",
        f"{policy}/cpuinfo_max_freq": "1800000",
        "sys/class/thermal/thermal_zone0/temp": "61500",
    }.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(f"{text}\n")
    monkeypatch.setenv("MOBILEBENCH_SYSTEM_ROOT", str(tmp_path / "tree"))
    model, results = MODELS / "small.tflite", tmp_path / "results"
    command = ("run", model, "--sustained-minutes", 1 / 60, "--cpus", "0", "--results", results)
    done = mobilebench(*command)
    assert done.returncode == 0, done.stderr
    assert "Sustained latency: as_is: " in done.stdout
    page = (only_run(results).path / "report.html").read_text("utf-8")
    for words in ("Clock (GHz)", "Temperature (°C)", "cpu-1 on CPU 0"):
        assert words in page
    # A limit that is there from the beginning: nothing is measured, and the reason has a name.
    (tmp_path / "tree" / policy / "scaling_max_freq").write_text("1200000\n")
    refused = mobilebench(*command)
    assert refused.returncode == 4
    assert "cpu0 is limited to 1.20 GHz of 1.80 GHz" in refused.stderr
    assert "measure it anyway with --device local --allow frequency" in refused.stderr
    allowed = mobilebench("run", model, "--blocks", 1, "--seconds", 0, "--allow", "frequency",
                          "--device", "local", "--results", results)  # fmt: skip
    assert allowed.returncode == 0, allowed.stderr
    assert "measured although cpu0 is limited to 1.20 GHz" in " ".join(allowed.stdout.split())


def test_a_gate_takes_no_sustained_trials(tmp_path: Path) -> None:
    protocol = "[protocol]\nsustained_minutes = 1\n"
    more = f'[models.ready]\nb = "{MODELS / "small_int8.tflite"}"\n'
    path = suite(tmp_path, model("a", "small.tflite", more), protocol)
    done = mobilebench("gate", path, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert "take sustained_minutes out of its protocol" in done.stderr


def test_a_bad_model_leaves_the_others_unharmed(tmp_path: Path) -> None:
    models = "".join(
        model(name, f"{name}.tflite") for name in ("small", "not_a_number", "unsupported_operator")
    )
    done = mobilebench("run", suite(tmp_path, models), "--results", tmp_path / "results")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "NaN" in done.stderr
    assert "Erfinv" in done.stderr
    run = only_run(tmp_path / "results")
    by_model = {
        name: {t.state for t in run.trials() if t.model == name and t.kind == "latency"}
        for name in ("small", "not_a_number", "unsupported_operator")
    }
    assert by_model["small"] == {"valid"}
    assert by_model["unsupported_operator"] <= {"failed"}
    assert "Erfinv" in (run.path / "report.md").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"hello", "gone.tflite"),
        ("cut", "is torn: its FlatBuffer cannot be read"),
    ],
)
def test_a_model_file_that_is_none(tmp_path: Path, content: object, words: str) -> None:
    target = tmp_path / "gone.tflite"
    if content == "cut":
        target.write_bytes((MODELS / "small.tflite").read_bytes()[:1500])
    elif isinstance(content, bytes):
        target.write_bytes(content)
    done = mobilebench("run", target, "--results", tmp_path / "results")
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "results").glob("*"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_is_finished_without_repeating_a_trial(
    tmp_path: Path, how: signal.Signals
) -> None:
    process, path = start_a_long_run(tmp_path)
    process.send_signal(how)
    _, errors = process.communicate(timeout=120)
    before = [(t.trial, t.started) for t in RunFolder.open(path).trials()]
    planned = [p.trial for p in RunFolder.open(path).run().plan]
    assert 0 < len(before) < len(planned)
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert f"mobilebench run --resume {path}" in errors
        assert "Traceback" not in errors
        assert RunFolder.open(path).run().state == "interrupted"

    done = mobilebench("run", "--resume", path)
    assert done.returncode == 0, done.stderr
    run = RunFolder.open(path)
    after = [(t.trial, t.started) for t in run.trials()]
    assert after[: len(before)] == before
    assert [trial for trial, _ in after] == planned
    assert {trial for trial, _ in run.samples()} == {
        t.trial for t in run.trials() if t.kind == "latency"
    }
    again = mobilebench("run", "--resume", path)
    assert again.returncode == 0
    assert [(t.trial, t.started) for t in RunFolder.open(path).trials()] == after


def test_two_runs_into_one_folder(tmp_path: Path) -> None:
    # Longer than a busy machine takes to start the second.
    process, path = start_a_long_run(tmp_path, blocks=200)
    try:
        second = mobilebench("run", "--resume", path)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert second.returncode == 2
    assert "another run is writing to" in second.stderr


@pytest.mark.alone
def test_a_hung_agent_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    # A Python that hangs on its second start and after: the greeting works, trials do not.
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nif [ -e "{tmp_path}/greeted" ]; then exec sleep 60; fi\n'
        f'touch "{tmp_path}/greeted"\nexec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    devices = f'[[devices]]\nname = "stuck"\npython = "{python}"\n[[devices]]\nname = "local"\n'
    protocol = QUICK + "timeout_seconds = 5\n"
    path = suite(tmp_path, model("a", "small.tflite"), protocol, devices)
    done = mobilebench("run", path, "--results", tmp_path / "results")
    assert done.returncode == 1, done.stderr
    trials = only_run(tmp_path / "results").trials()
    assert [t.code for t in trials if t.device == "stuck"] == [
        "timeout",
        "timeout",
        *["skipped"] * 2,
    ]
    assert {t.state for t in trials if t.device == "local"} == {"valid"}


def test_a_device_without_a_runtime(tmp_path: Path) -> None:
    bare = getattr(sys, "_base_executable", sys.executable)
    devices = f'[[devices]]\nname = "bare"\npython = "{bare}"\n'
    path = suite(tmp_path, model("a", "small.tflite"), QUICK, devices)
    done = mobilebench("run", path, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert "bare" in done.stderr
    assert "NumPy" in done.stderr or "pip install" in done.stderr
    assert not list((tmp_path / "results").glob("*"))


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = mobilebench("run", MODELS / "small.tflite", "--results", blocked / "results")
    assert done.returncode == 2
    assert "cannot write results" in done.stderr
    assert "Traceback" not in done.stderr


needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/proc/self/mountinfo").exists(), reason="mounting needs root"
)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own on the folder."""
    folder.mkdir()
    done = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"no small file system here: {done.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


@needs_mount
def test_a_read_only_results_folder(tmp_path: Path) -> None:
    with mounted(tmp_path / "results", "ro"):
        done = mobilebench("run", MODELS / "small.tflite", "--results", tmp_path / "results")
    assert done.returncode == 2
    assert "cannot write results" in done.stderr
    assert "Read-only file system" in done.stderr


@needs_mount
def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with mounted(results, "size=256k"):
        protocol = "[protocol]\nblocks = 40\nwarmup_seconds = 0.0\nseconds = 0.05\nruns = 10\n"
        path = suite(tmp_path, model("a", "small.tflite"), protocol)
        done = mobilebench("run", path, "--results", results)
        assert done.returncode == 4, done.stderr
        assert "the disk is full" in done.stderr
        assert "mobilebench run --resume" in done.stderr
        assert "Traceback" not in done.stderr
        run = only_run(results)
        finished = run.trials()
        assert 0 < len(finished) < len(run.run().plan)
        subprocess.run(["/bin/mount", "-o", "remount,size=64m", str(results)], check=True)
        resumed = mobilebench("run", "--resume", run.path)
        assert resumed.returncode == 0, resumed.stderr
        assert run.trials()[: len(finished)] == finished


def test_resume_of_nothing(tmp_path: Path) -> None:
    done = mobilebench("run", "--resume", tmp_path)
    assert done.returncode == 2
    assert "no results folder" in done.stderr


def test_resume_stands_alone(tmp_path: Path) -> None:
    done = mobilebench("run", "x.tflite", "--resume", tmp_path)
    assert done.returncode == 2


def test_a_run_that_lost_its_model_is_not_invalidated(tmp_path: Path) -> None:
    process, path = start_a_long_run(tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    before = (path / "trials.jsonl").read_bytes()
    victim = next((path / "artifacts").glob("*.tflite"))
    content = victim.read_bytes()
    victim.write_bytes(content[:-1])
    damaged = mobilebench("run", "--resume", path)
    assert damaged.returncode == 2
    assert f"{victim} is missing or damaged" in damaged.stderr
    assert (path / "trials.jsonl").read_bytes() == before
    victim.write_bytes(content)
    assert mobilebench("run", "--resume", path).returncode == 0


def test_a_run_of_another_machine_is_not_mixed_with_this_one(tmp_path: Path) -> None:
    process, path = start_a_long_run(tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    manifest = json.loads((path / "run.json").read_text())
    manifest["devices"][0]["info"]["cpu"] = "Another Processor"
    (path / "run.json").write_text(json.dumps(manifest))
    done = mobilebench("run", "--resume", path)
    assert done.returncode == 2
    assert "was measured with cpu Another Processor" in done.stderr


@pytest.mark.parametrize("text", ['{"format": 1}', '{"format": 1, "suite": 3}'])
def test_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    done = mobilebench("run", "--resume", tmp_path)
    assert done.returncode == 2
    assert "is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_compressing_leaves_nothing_half_written(tmp_path: Path) -> None:
    results = tmp_path / "results"
    env = {"MOBILEBENCH_CACHE": str(tmp_path / "cache")}
    process = start("run", "zoo:digits-student", "--results", results, env=env)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cache").glob("making-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert not list(results.glob("*"))


@pytest.mark.parametrize("cache", ["file/below", "file"])
def test_a_cache_that_cannot_be_written(tmp_path: Path, cache: str) -> None:
    (tmp_path / "file").write_text("")
    env = {"MOBILEBENCH_CACHE": str(tmp_path / cache)}
    done = mobilebench("run", MODELS / "small.tflite", "--results", tmp_path / "r", env=env)
    assert done.returncode == 2
    assert "cannot write to the cache" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_hides_no_failure(tmp_path: Path) -> None:
    models = model("small", "small.tflite") + model("bad", "not_a_number.tflite")
    path = suite(tmp_path, models)
    process = subprocess.Popen(
        [*MOBILEBENCH, "run", str(path), "--results", str(tmp_path / "results")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=300) == 1


def test_runs_of_one_second_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = suite(
        tmp_path, model("small", "small.tflite"), QUICK.replace("blocks = 2", "blocks = 1")
    )
    now = clock.moment()
    monkeypatch.setattr(clock, "moment", lambda: now)
    names = [mb.run(path, results=tmp_path / "results").path.name for _ in range(3)]
    assert len(set(names)) == 3
    assert {RunFolder.open(tmp_path / "results" / n).run().name for n in names} == set(names)


def test_runs_at_the_same_time_wait_for_the_device(tmp_path: Path) -> None:
    path = suite(
        tmp_path, model("small", "small.tflite"), QUICK.replace("blocks = 2", "blocks = 1")
    )
    command = [*MOBILEBENCH, "run", str(path), "--results", str(tmp_path / "results")]
    runs = [
        subprocess.Popen([*command, "--wait", "5"], stdout=subprocess.DEVNULL) for _ in range(2)
    ]
    assert [process.wait(timeout=200) for process in runs] == [0, 0]


def test_a_model_of_the_zoo_and_a_browser_s_file_name(tmp_path: Path) -> None:
    odd = tmp_path / "Ünïcode model (1).tflite"
    odd.write_bytes((MODELS / "small.tflite").read_bytes())
    done = mobilebench("run", odd, "--blocks", 1, "--seconds", 0, "--results", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    assert only_run(tmp_path / "r").run().models[0].name == "Ünïcode model (1)"
