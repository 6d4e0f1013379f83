"""Steps of installed packages: found, refused with a reason, and used by the real worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mobilebench.compress.artifact import Artifact
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.errors import BadInputError
from mobilebench.models.spec import ModelSpec
from mobilebench.tflite import file
from mobilebench.tflite.interpreter import Runner

from tests.support.plug_in import install, install_documented

#: An encoding step; what is to be varied is inserted by ``format``.
STEP = """
from typing import ClassVar
from pydantic import Field
from mobilebench.compress.step import Encoded, EncodingStep, Form, QuantizingStep

class Shrink(EncodingStep):
    name: ClassVar[str] = "shrink"
    {declared}
    def encode(self, content):
        {encode}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, of this process and of the worker, whose modules are forgotten."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


def shrink(path: Path, declared: str = "", encode: str = "return content", **how: Any) -> None:
    code = STEP.format(declared=declared, encode=encode)
    install(path, {"tiny/__init__.py": "", "tiny/steps.py": code}, SHRINK, **how)


SHRINK = {"shrink": "tiny.steps:Shrink"}


def make(model: Path, recipe: str, cache: Path, data: str = "random") -> Artifact:
    outcome = compress_variants(
        [(ModelSpec(name="m", source=str(model), data=data), parse_recipe(recipe))],
        seed=0,
        cache=cache,
        on_progress=lambda _progress: None,
    )
    assert not outcome.failures, outcome.failures[0].reason
    (artifact,) = outcome.artifacts
    return artifact


def names(content: bytes) -> list[bytes]:
    return [t.name for graph in file.load(content).subgraphs for t in graph.tensors if t.name]


def test_the_documented_step_makes_a_file(path: Path, model_file: Path, tmp_path: Path) -> None:
    install_documented(path)
    plain = make(model_file, "int8", tmp_path / "cache")
    made = make(model_file, "int8 → strip_names", tmp_path / "cache")
    assert made.bytes < plain.bytes
    content = made.path.read_bytes()
    assert names(plain.path.read_bytes())
    assert names(content) == []
    Runner(content)
    last = made.provenance["steps"][-1]
    assert last["step"] == "strip_names"
    assert last["names_removed"] > 0
    assert last["encoding_error"] == 0
    (plug_in,) = made.provenance["plug_ins"]
    assert plug_in["distribution"] == "mobilebench-strip-names"
    assert made.provenance["versions"]["mobilebench-strip-names"] == plug_in["version"] == "0.1.0"


@pytest.mark.tensorflow
@pytest.mark.parametrize("end", ["strip_names → sparse(size)", "sparse(size) → strip_names"])
def test_encoding_steps_come_in_any_order(
    digits: Any, path: Path, tmp_path_factory: pytest.TempPathFactory, end: str
) -> None:
    install_documented(path)
    cache = tmp_path_factory.getbasetemp() / "encoded"
    pruned = "prune(0.9, pattern='1x16', schedule=once, epochs=0) → int8"
    made = make(digits.model, f"{pruned} → {end}", cache, str(digits.data))
    whole = make(digits.model, pruned, cache, str(digits.data))
    assert names(made.path.read_bytes()) == []
    findings = {step["step"]: step for step in made.provenance["steps"]}
    zeros = whole.provenance["steps"][-1]["zeros_in_file"]
    assert zeros == pytest.approx(0.9, abs=0.01)
    assert findings["strip_names"]["zeros_in_file"] == zeros
    assert findings["sparse(size)"]["zeros_in_file"] == zeros
    assert len(findings["sparse(size)"]["layers"]) == 2
    assert findings["sparse(size)"]["sparse_kernels"] >= 1
    assert made.bytes < whole.bytes


def test_a_host_process_with_the_package_on_its_path_knows_the_step(path: Path) -> None:
    install_documented(path)
    code = "from mobilebench.compress.recipe import parse_recipe as p; print(p('strip_names').text)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "strip_names\n"


def test_an_edited_or_newer_plug_in_makes_files_anew(
    path: Path, model_file: Path, tmp_path: Path
) -> None:
    """In a package, a change of a file that the step only imports counts, too."""
    code = (
        "from typing import ClassVar\n"
        "from mobilebench.compress.step import Quantized, QuantizingStep\n"
        "class Halve(QuantizingStep):\n"
        "    name: ClassVar[str] = 'halve'\n"
        "    def quantize(self, content, samples=(), report=None):\n"
        "        from mobilebench.compress.steps.quantize import Float16\n"
        "        from tiny.note import NOTE\n"
        "        return Quantized(Float16().quantize(content).content, {'note': NOTE})\n"
    )
    files = {"tiny/__init__.py": "", "tiny/steps.py": code, "tiny/note.py": "NOTE = 'first'\n"}
    install(path, files, {"halve": "tiny.steps:Halve"})

    def made() -> tuple[str, str]:
        artifact = make(model_file, "halve", tmp_path / "cache")
        return artifact.provenance["key"], artifact.provenance["steps"][-1]["note"]

    first = made()
    assert made() == first
    (path / "tiny" / "note.py").write_text("NOTE = 'second'\n")
    second = made()
    assert second[0] != first[0]
    assert (first[1], second[1]) == ("first", "second")


def test_unknown_steps_are_listed_with_plug_ins(path: Path) -> None:
    shrink(path)
    with pytest.raises(
        BadInputError, match=r"did you mean shrink\? known are float32, .*, shrink$"
    ):
        parse_recipe("shrnk")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("shrink(4)", "level=4: it is how much, 1 to 3"),
        ("shrink(extra=0)", "extra=0: it should be greater than 0"),
        ("shrink(lvl=1)", "did you mean level"),
        ("shrink → int8", "shrink gives an encoded .tflite; put int8 before shrink"),
        ("shrink → shrink(2)", "shrink(2) cannot come after shrink: it is in the recipe already"),
        ("sparse → shrink", "shrink cannot come after sparse: names are needed"),
        ("shrink → shrink", "once is enough"),
        ("float32 → shrink", "stands alone"),
    ],
)
def test_a_plug_in_has_settings_and_a_place_as_other_steps(
    path: Path, recipe: str, sentence: str
) -> None:
    shrink(
        path,
        'leading: ClassVar[str] = "level"\n'
        '    before: ClassVar[dict[str, str]] = {"sparse": "names are needed"}\n'
        '    level: int = Field(1, ge=1, le=3, description="how much, 1 to 3")\n'
        "    extra: float = Field(0.5, gt=0)",
    )
    assert parse_recipe("int8 → shrink(2) → sparse").text == "int8 → shrink(2) → sparse"
    with pytest.raises(BadInputError) as caught:
        parse_recipe(recipe)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("code", "steps", "sentence"),
    [
        ("import nowhere_to_be_found", SHRINK, "cannot be loaded from 'tiny.steps:Shrink' (Module"),
        ("raise ValueError('one\\ntwo')", SHRINK, "(ValueError: one); repair or uninstall"),
        ("import sys; sys.exit(3)", SHRINK, "(SystemExit: 3)"),
        ("class Other: pass", SHRINK, "(AttributeError: "),
        ("def Shrink(): pass", SHRINK, "is no class derived from TrainingStep, QuantizingStep"),
        ("class Shrink: name = 'shrink'", SHRINK, "is no class derived from"),
        (STEP.format(declared="", encode="0"), {"shrunk": "tiny.steps:Shrink"}, "calls itself 'sh"),
        (STEP.format(declared="leading = 'size'", encode="0"), SHRINK, "has no setting 'size'"),
        (
            STEP.format(declared="gives: ClassVar[Form] = Form.KERAS", encode="0"),
            SHRINK,
            "must take and give a Keras model",
        ),
        (STEP.format(declared="step: int = 1", encode="0"), SHRINK, "has a setting 'step'"),
        (STEP.format(declared="size: int", encode="0"), SHRINK, "shrink needs size="),
        (
            STEP.format(declared="things: list[int] = [1]", encode="0"),
            SHRINK,
            "a setting things of type list",
        ),
        ("", {"int8": "tiny.steps:Shrink"}, "has the name of a step that MobileBench has itself"),
        ("", {"static_wi8_ai8": "tiny.steps:Shrink"}, "has the name of a step that MobileBench"),
    ],
)
def test_what_is_no_step_is_one_sentence(
    path: Path, code: str, steps: dict[str, str], sentence: str
) -> None:
    install(path, {"tiny/__init__.py": "", "tiny/steps.py": code}, steps)
    (name,) = steps
    with pytest.raises(BadInputError) as caught:
        parse_recipe(name)
    assert sentence in str(caught.value)
    assert sentence.startswith(("a setting", "shrink needs")) or "tiny-steps 1.0" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)
    assert parse_recipe("prune(0.5) → float16").text == "prune(0.5) → float16"


def test_a_package_that_is_installed_later_is_found(path: Path) -> None:
    with pytest.raises(BadInputError, match="unknown recipe step"):
        parse_recipe("shrink")
    shrink(path)
    assert parse_recipe("shrink").text == "shrink"


def test_two_packages_cannot_offer_one_step(path: Path) -> None:
    shrink(path)
    shrink(path, name="other-steps")
    with pytest.raises(
        BadInputError, match=r"is offered by the package .* and the package .*-steps"
    ):
        parse_recipe("shrink")


@pytest.mark.parametrize(
    ("encode", "reason"),
    [
        ("return content[1:]", "shrink gave bytes, and must give Encoded"),
        ("raise KeyError('weights')", "KeyError: 'weights'"),
        ("return Encoded(content, {})", "the file did not get smaller"),
        ("return Encoded(content[:99], {})", "the LiteRT runtime cannot read it"),
    ],
)
def test_what_a_plug_in_gets_wrong_costs_its_variant_alone(
    path: Path, model_file: Path, tmp_path: Path, encode: str, reason: str
) -> None:
    shrink(path, encode=encode)
    spec = ModelSpec(name="m", source=str(model_file), data="random")
    outcome = compress_variants(
        [(spec, parse_recipe(recipe)) for recipe in ("shrink", "float16")],
        seed=0,
        cache=tmp_path,
        on_progress=lambda _progress: None,
    )
    assert [artifact.recipe for artifact in outcome.artifacts] == ["float16"]
    (failure,) = outcome.failures
    assert failure.step == "shrink"
    assert reason in failure.reason
