"""Models with other inputs or outputs than their baseline are not compared with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mobilebench.analysis.gating import Verdict
from mobilebench.analysis.summarise import summarise
from mobilebench.errors import BadInputError
from mobilebench.records.interface import Interface
from mobilebench.records.run import INTERFACE_STEP
from mobilebench.report.exports import gate as outputs
from mobilebench.report.tables.formats import table
from mobilebench.runs import pair, run
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder
from mobilebench.suite.choose import choose_suite

from tests.support.gates import run_gate
from tests.support.models import BASELINE, CANDIDATE, MODELS
from tests.support.scripted_device import Open, ScriptedDevice
from tests.support.tflite_files import open_shape, with_input


@pytest.mark.parametrize("candidate", ["look_up.tflite", "not_a_number.tflite"])
def test_another_network_is_never_measured(tmp_path: Path, on: Open, candidate: str) -> None:
    device = on(ScriptedDevice(lambda *_: 1.0))
    result = run_gate(tmp_path, pair.suite_of_files(BASELINE, MODELS / candidate, None, {}))
    assert (result.verdict, result.exit_code) == (Verdict.INVALID, 4)
    assert "input 'args_0' is [1, 8, 8, 1] in the baseline and [1, 4]" in result.invalid
    assert device.jobs == []
    assert outputs.summary(result).startswith("INVALID")


def test_every_pair_of_a_suite_is_compared(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(lambda *_: 1.0))
    path = tmp_path / "suite.toml"
    path.write_text(
        f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n'
        f'recipes = ["dynamic_int8"]\n[models.ready]\nsame = "{CANDIDATE}"\n'
        f'other = "{MODELS / "look_up.tflite"}"\n'
    )
    result = run_gate(tmp_path, pair.suite_of_file(path))
    assert result.verdict == Verdict.INVALID
    assert "it cannot take the place of its baseline dynamic_int8: input 'args_0'" in result.invalid
    assert device.jobs == []
    assert not list((tmp_path / "results").glob("*"))


def test_quantized_ends_are_warned_of(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(lambda *_: 1.0))
    result = run_gate(tmp_path)
    assert result.verdict != Verdict.INVALID
    (warning,) = [w for w in result.warnings if "an app must convert" in w]
    assert "input 'args_0' is float32 in the baseline and int8 in the candidate" in warning


def test_an_open_shape_is_bad_input(tmp_path: Path) -> None:
    shapeless = open_shape(tmp_path / "open.tflite", BASELINE.read_bytes(), [1, -1, -1, 1])
    for two in ((BASELINE, shapeless), (shapeless, BASELINE), (shapeless, shapeless)):
        with pytest.raises(BadInputError, match=r"open shape \[1, \?, \?, 1\]"):
            run_gate(tmp_path, pair.suite_of_files(*two, None, {}))
    assert not list((tmp_path / "results").glob("*"))


def started(folder: Path, suite: str) -> RunFolder:
    path = folder / "suite.toml"
    path.write_text(f"[protocol]\nblocks = 1\nseconds = 0.1\n{suite}")
    return run.start(choose_suite([path]), folder / "results", ["t"], run.Quiet())


def test_a_run_leaves_out_what_is_no_variant(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(lambda *_: 1.0))
    eight = tmp_path / "eight.tflite"
    eight.write_bytes(with_input(BASELINE.read_bytes(), [8, 8, 8, 1]))
    folder = started(
        tmp_path,
        f'[[models]]\nname = "small"\nsource = "{BASELINE}"\n[models.ready]\n'
        f'int8 = "{CANDIDATE}"\neight = "{eight}"\nwords = "{MODELS / "look_up.tflite"}"\n',
    )
    found = folder.run()
    assert [artifact.recipe for artifact in found.artifacts] == ["as_is", "int8"]
    assert {failure.recipe: failure.step for failure in found.failures} == dict.fromkeys(
        ("eight", "words"), INTERFACE_STEP
    )
    batch = next(failure.reason for failure in found.failures if failure.recipe == "eight")
    assert "[1, 8, 8, 1] in the baseline and [8, 8, 8, 1] in the candidate, another batch" in batch
    assert not {trial.recipe for trial in found.plan} & {"eight", "words"}
    (said,) = [warning for warning in found.warnings if "an app must convert" in warning]
    assert said.startswith("small · int8: input 'args_0' is float32 in the baseline and int8")
    (shown,) = summary_of(folder).comparisons
    assert {v.recipe: v.failure[:60] for v in shown.variants if v.failure} == dict.fromkeys(
        ("eight", "words"), "not measured: it cannot take the place of its baseline as_is"
    )
    assert run.exit_code(folder) == 1


def test_a_run_says_which_signature_and_shape_it_is_of(tmp_path: Path, on: Open) -> None:
    device = on(ScriptedDevice(lambda *_: 1.0))
    folder = started(
        tmp_path,
        f'[[models]]\nname = "seg"\nsource = "{MODELS / "open_image.tflite"}"\n'
        "shapes = { image = [1, 31, 46, 3] }\n"
        f'[[models]]\nname = "two"\nsource = "{MODELS / "two_signatures.tflite"}"\n'
        'signature = "encode"\n'
        f'[[models]]\nname = "first"\nsource = "{MODELS / "two_signatures.tflite"}"\n',
    )
    assert device.jobs
    summary = summary_of(folder)
    library = summary.comparisons[0].library
    titles = [
        f"seg (image [1, 31, 46, 3]) on local · cpu-1 ({library})",
        f"two (signature encode) on local · cpu-1 ({library})",
        f"first (signature decode) on local · cpu-1 ({library})",
    ]
    text = table(summary, "md")
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [
        title.replace("[", "\\[").replace("]", "\\]") for title in titles
    ]
    document = folder.run().document()["artifacts"]
    assert document[0]["interface"]["inputs"][0]["shape"] == [1, 31, 46, 3]
    assert document[1]["provenance"]["run_as"] == "signature encode"
    seg, two, first = (comparison.variants[0] for comparison in summary.comparisons)
    assert (seg.warnings, two.warnings) == ((), ())
    assert "this is signature 'decode', the first of its file, which has 'encode', too" in str(
        first.warnings[0]
    )


def test_an_open_shape_comes_from_the_data(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(lambda *_: 1.0))
    x = np.random.default_rng(0).random((5, 9, 7, 3), dtype=np.float32)
    np.savez(tmp_path / "images.npz", x_calibration=x)
    folder = started(
        tmp_path,
        f'[[models]]\nname = "seg"\nsource = "{MODELS / "open_image.tflite"}"\n'
        f'data = "images.npz"\nready = {{ same = "{MODELS / "open_image.tflite"}" }}\n',
    )
    found = folder.run()
    assert [a.run_as for a in found.artifacts] == ["image [1, 9, 7, 3]"] * 2
    assert not found.failures


def test_a_fixed_batch_is_named_beside_its_latency(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(lambda *_: 1.0))
    folder = started(
        tmp_path,
        f'[[models]]\nname = "seg"\nsource = "{MODELS / "open_image.tflite"}"\n'
        "shapes = [1, 8, 8, 3]\n",
    )
    before = folder.run()
    (artifact,) = before.artifacts
    assert artifact.interface is not None
    assert artifact.interface.batch == 1
    ends = [
        tuple(replace(end, shape=(8, *end.shape[1:])) for end in kind)
        for kind in (artifact.interface.inputs, artifact.interface.outputs)
    ]
    eight = artifact.model_copy(update={"interface": Interface(ends[0], ends[1])})
    (comparison,) = summarise(
        before.model_copy(update={"artifacts": (eight,)}), folder.trials(), ()
    ).comparisons
    assert comparison.subject == "seg (image [1, 8, 8, 3], 8 samples an inference)"
    assert comparison.notes == ("Latency and energy are per inference, of 8 samples.",)


def test_an_open_shape_comes_from_labelled_data(tmp_path: Path, on: Open) -> None:
    on(ScriptedDevice(lambda *_: 1.0))
    x = np.random.default_rng(0).random((5, 9, 7, 3), dtype=np.float32)
    np.savez(tmp_path / "images.npz", x_test=x, y_test=np.arange(5))
    folder = started(
        tmp_path,
        f'[[models]]\nname = "seg"\nsource = "{MODELS / "open_image.tflite"}"\n'
        'data = "images.npz"\n',
    )
    assert [a.run_as for a in folder.run().artifacts] == ["image [1, 9, 7, 3]"]
