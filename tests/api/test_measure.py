"""Runs and gates through the library, on a device that answers at once, and on this machine."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import mobilebench as mb
import pytest
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult
from mobilebench.records.device import DeviceFacts
from mobilebench.runs import run as runs
from mobilebench.suite.choose import change_suite
from mobilebench_agent.contract import Event, Job, Metric, Result

from tests.support.in_process import InProcessFiles
from tests.support.models import MODELS

SMALL, INT8 = MODELS / "small.tflite", MODELS / "small_int8.tflite"
#: What the two files themselves differ in is not judged.
POLICY = {name: {"enabled": False} for name in ("size", "download", "delegation")}
NOT_JUDGED: Any = POLICY


class Device(InProcessFiles):
    """Answers at once: each latency trial a little slower than the one before."""

    kind = "fake"
    name = "local"

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def probe(self) -> DeviceFacts:
        return DeviceFacts("local", "fake", "0", "a-runtime", "1.0")

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        on_event(Event(job.trial, "measure", 0.5))
        self.number += 1
        ns = 1_000_000 + self.number
        if job.kind == "latency":
            return Result(job.trial, job.kind, samples_ns=(ns, ns, ns))
        if job.kind == "outputs":
            return self.answer(job)
        return Result(job.trial, job.kind, (Metric("memory_peak", "B", "a script", 7e6, n=1),))


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Device:
    found = Device()
    monkeypatch.setattr(runs, "open_device", lambda _spec: found)
    monkeypatch.chdir(tmp_path)
    return found


def suite_file(folder: Path, text: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(
        f'[[models]]\nname = "net"\nsource = "{SMALL}"\nready = {{ int8 = "{INT8}" }}\n{text}'
    )
    return path


# Suites.


def test_a_suite_with_something_else_in_its_place(tmp_path: Path) -> None:
    suite = mb.load_suite(suite_file(tmp_path), blocks=3, threads=2, cpus=(0,), seed=7, energy=True)
    assert isinstance(suite, mb.Suite)
    assert (suite.name, suite.seed) == ("mine", 7)
    assert (suite.protocol.blocks, suite.protocol.energy) == (3, True)
    assert [(r.name, r.threads, r.cpus) for r in suite.runtimes] == [("cpu-2", 2, (0,))]


def test_a_suite_changed_later_is_the_same(tmp_path: Path) -> None:
    path = suite_file(tmp_path, 'recipes = ["as_is", {name = "same", recipe = "as_is"}]\n')
    given: Any = {"sustained_minutes": 2.0, "threads": 2, "seed": 7}
    assert change_suite(mb.load_suite(path), given) == mb.load_suite(path, **given)
    assert change_suite(mb.load_suite(path), {}) == mb.load_suite(path)


def test_a_wrong_suite_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(mb.BadInputError, match=r"there is no suite file .*gone\.toml"):
        mb.load_suite(tmp_path / "gone.toml")
    with pytest.raises(mb.BadInputError, match=r"protocol\.blocks"):
        mb.load_suite(suite_file(tmp_path), blocks=0)
    with pytest.raises(TypeError, match="blockz"):
        mb.load_suite(suite_file(tmp_path), blockz=3)  # type: ignore[call-arg]


# Runs.


def test_model_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[mb.Progress] = []
    run = mb.run([SMALL, str(INT8)], blocks=2, progress=seen.append)
    assert run.state == "finished"
    assert run.path.parent.resolve() == tmp_path / "results"
    assert [*run.summary()["recipe"]] == ["as_is", "small_int8"]
    command = json.loads((run.path / "run.json").read_text("utf-8"))["command"]
    assert command == ["mobilebench.run", SMALL.name, INT8.name]
    assert not (run.path / "report.html").exists()
    assert run.report().read_text("utf-8").startswith("<!doctype html>")
    # It says how far it is to its caller alone.
    assert capfd.readouterr() == ("", "")
    measuring = [report for report in seen if report.stage == "measure"]
    assert {report.device for report in measuring} == {"local"}
    done = [report.done for report in measuring]
    total = len(set(run.trials()["trial"]))
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, total)
    assert {report.total for report in measuring} == {total}
    assert any("latency, block 2" in report.text for report in measuring)
    assert any("measure 50 %" in report.text for report in measuring)
    assert [report for report in seen if report.stage == "compress"]


def test_a_suite_object_with_something_else_in_its_place(tmp_path: Path) -> None:
    suite = mb.load_suite(suite_file(tmp_path), blocks=4)
    run = mb.run(suite, results=tmp_path / "elsewhere", blocks=1, command=["mine"])
    assert run.path.parent == tmp_path / "elsewhere"
    assert {*run.trials()["block"]} == {0}
    assert json.loads((run.path / "run.json").read_text("utf-8"))["command"] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"what": "gone.tflite"}, "gone.tflite"),
        ({"what": SMALL, "recipes": "int9"}, "int9"),
        ({"what": "mine.toml", "data": "x.npz"}, "a suite file stands alone"),
        ({"what": SMALL, "resume": "results/x"}, "leave what out"),
        ({"resume": "results/x", "blocks": 3, "devices": "local"}, "leave devices, blocks out"),
        ({"resume": "results/x", "jobs": 2}, "leave jobs out"),
        ({"resume": "results/x"}, "no results folder"),
        ({"what": SMALL, "binary": "b", "energy": True}, "benchmark_model measures no energy"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    suite_file(tmp_path)
    with pytest.raises(mb.BadInputError) as caught:
        mb.run(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("results/*"))


def test_a_suite_object_names_its_own_recipes(tmp_path: Path) -> None:
    with pytest.raises(mb.BadInputError, match="a suite names its own recipes"):
        mb.run(mb.load_suite(suite_file(tmp_path)), recipes="int8")


def interrupting(after: int, error: BaseException) -> Any:
    count = threading.Semaphore(after)

    def report(progress: mb.Progress) -> None:
        if progress.text.startswith("valid: ") and not count.acquire(blocking=False):
            raise error

    return report


def test_ctrl_c_leaves_a_run_that_can_be_resumed(device: Device) -> None:
    with pytest.raises(mb.InterruptedRunError, match="trials finished") as caught:
        mb.run([SMALL, INT8], blocks=3, progress=interrupting(4, KeyboardInterrupt()))
    assert caught.value.folder is not None
    run = mb.open_run(caught.value.folder)
    assert run.state == "interrupted"
    kept = run.trials()["trial"].nunique()
    assert kept == 5
    measured = device.number
    again = mb.run(resume=run)
    assert again.path == run.path
    assert run.state == "finished"
    total = run.trials()["trial"].nunique()
    assert device.number - measured == total - kept
    # A finished run is resumed by doing nothing.
    assert mb.run(resume=run.path).state == "finished"
    assert device.number - measured == total - kept


def test_a_callback_that_breaks_ends_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        mb.run([SMALL, INT8], blocks=3, progress=interrupting(2, ZeroDivisionError("mine")))
    assert any("go on with" in note for note in caught.value.__notes__)
    (folder,) = (tmp_path / "results").iterdir()
    assert mb.open_run(folder).state == "interrupted"
    assert mb.run(resume=folder).state == "finished"


# Gates.


def test_a_gate_of_two_files(capfd: pytest.CaptureFixture[str]) -> None:
    result = mb.gate(SMALL, INT8, policy=POLICY, speed_only=True)
    assert isinstance(result, mb.GateResult)
    assert result.passed, result
    assert result.verdict is mb.Verdict.PASS
    assert (result.folder / "report.html").is_file()
    assert mb.open_run(result.folder).verdict == "PASS"
    assert capfd.readouterr() == ("", "")
    again = mb.gate(resume=result.folder)
    assert (again.verdict, again.comparisons) == (result.verdict, result.comparisons)
    with pytest.raises(mb.BadInputError, match="leave policy, jobs out"):
        mb.gate(resume=result.folder, policy=NOT_JUDGED, jobs=2)


def test_a_gate_of_a_suite(tmp_path: Path) -> None:
    strict = {**POLICY, "memory": {"missing": "fail", "enabled": True}}
    of_file = mb.gate(suite_file(tmp_path), policy=strict, speed_only=True)
    suite = mb.load_suite(suite_file(tmp_path))
    of_object = mb.gate(suite, policy=strict, seed=3, speed_only=True)
    assert of_file.passed
    assert of_object.passed
    assert [c.candidate for c in of_object.comparisons] == ["int8"]


def test_a_gate_of_models_with_other_inputs_says_why() -> None:
    result = mb.gate(SMALL, MODELS / "not_a_number.tflite")
    assert (result.verdict, result.passed) == (mb.Verdict.INVALID, False)
    assert "cannot take the place of the baseline" in result._repr_html_()
    assert not result.folder.exists()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"baseline": SMALL}, {"candidate": SMALL}, {"baseline": "mine.toml", "data": "d.npz"}],
)
def test_a_gate_of_one_side(arguments: dict[str, Any]) -> None:
    with pytest.raises(mb.BadInputError, match="give a baseline and a candidate, or a suite"):
        mb.gate(**arguments)


def test_a_wrong_policy_is_one_sentence() -> None:
    with pytest.raises(mb.BadInputError, match=r"latencyy.*did you mean 'latency'"):
        mb.gate(SMALL, INT8, policy={"latencyy": {}})


def test_a_report_that_cannot_be_written_leaves_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the moon is full")

    monkeypatch.setattr("mobilebench.report.write.build", broken)
    with pytest.raises(ZeroDivisionError):
        mb.gate(SMALL, INT8, policy=POLICY)
    (folder,) = (tmp_path / "results").iterdir()
    assert json.loads((folder / "gate.json").read_text("utf-8"))["verdict"] == "INVALID"


def test_calibrating() -> None:
    found = mb.calibrate(SMALL)
    (noise,) = found.noise
    assert isinstance(noise, mb.Noise)
    assert 0 <= noise.metrics["latency"] < 0.01
    assert found.run.state == "finished"
    with pytest.raises(mb.BadInputError, match="does not exist"):
        mb.calibrate("gone.tflite")


# Models.


def test_compressing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[mb.Progress] = []
    made = mb.compress(SMALL, "float16", "as_is", into=tmp_path / "out", progress=seen.append)
    smaller, same = made
    assert isinstance(smaller, mb.Artifact)
    assert isinstance(same, mb.Artifact)
    assert (smaller.recipe, same.recipe) == ("float16", "as_is")
    assert smaller.path == tmp_path / "out" / "small.float16.tflite"
    assert smaller.path.stat().st_size == smaller.bytes
    assert same.path.read_bytes() == SMALL.read_bytes()
    assert {report.stage for report in seen} == {"compress"}
    assert seen[-1].done == seen[-1].total == 2
    assert capfd.readouterr() == ("", "")
    (kept,) = mb.compress(MODELS / "not_a_number.tflite", "as_is")
    assert isinstance(kept, mb.Artifact)  # it is measured as it is, with a warning
    assert any("NaN" in warning for warning in kept.warnings)
    (failure,) = mb.compress(MODELS / "not_a_number.tflite", "dynamic_int8")
    assert isinstance(failure, mb.Failure)
    with pytest.raises(mb.BadInputError, match=r"gone\.tflite"):
        mb.compress("gone.tflite", "as_is")


def test_inspecting() -> None:
    facts = mb.inspect(SMALL)
    assert facts.bytes == SMALL.stat().st_size
    assert [layer.operator for layer in facts.layers]
    with pytest.raises(mb.BadInputError, match=r"gone\.tflite does not exist"):
        mb.inspect("gone.tflite")
    Path("text.tflite").write_text("no model")
    with pytest.raises(mb.BadInputError):
        mb.inspect("text.tflite")


def test_devices_names_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    monkeypatch.setenv("PATH", "")
    found = mb.devices()
    assert isinstance(found, mb.FoundDevices)
    assert [device.kind for device in found.devices] == ["local"]
    assert any("adb" in note for note in found.notes)


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", "/bin/false")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(mb.BadInputError, match="adb"):
        mb.run(SMALL, devices="R5CT1234ABC")
