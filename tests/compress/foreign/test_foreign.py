"""PyTorch and ONNX models: what becomes of them, and what is said of those that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.compress.foreign import ends, environments
from mobilebench.compress.foreign.convert import convert
from mobilebench.compress.foreign.environments import CONVERTERS
from mobilebench.compress.pipeline import converted
from mobilebench.compress.pipeline.cache import Cache
from mobilebench.errors import BadInputError, StepError
from mobilebench.models.sources import find_source
from mobilebench.tflite import interface

FILES = Path(__file__).parents[2] / "fixtures" / "models"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"an ONNX file")
    return path


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A converter's Python that does as ``body`` says with its request."""
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport json, sys\nfrom pathlib import Path\nimport numpy as np\n"
        "request = json.loads(Path(sys.argv[2]).read_text())\nfolder = Path(request['folder'])\n"
        "def say(**what): (folder / 'result.json').write_text(json.dumps(what))\n" + body
    )
    script.chmod(0o755)
    monkeypatch.setenv("MOBILEBENCH_ONNX_PYTHON", str(script))


def test_without_its_environment(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MOBILEBENCH_ONNX_PYTHON", raising=False)
    with pytest.raises(BadInputError, match="mobilebench converters --install onnx"):
        convert(find_source(str(network)), {}, {}, tmp_path)
    shown = CliRunner().invoke(main, ["converters"])
    assert "ONNX models: no onnx2tf; make its environment with" in shown.output
    monkeypatch.setenv("MOBILEBENCH_ONNX_PYTHON", str(tmp_path / "none"))
    with pytest.raises(BadInputError, match=r"MOBILEBENCH_ONNX_PYTHON names .* does not exist"):
        convert(find_source(str(network)), {}, {}, tmp_path)


def test_an_environment_that_was_not_finished_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBILEBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("MOBILEBENCH_ONNX_PYTHON", raising=False)
    folder = CONVERTERS["onnx"].folder
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("")
    (folder / "lib/python3.11/site-packages/onnx2tf-1.2.dist-info").mkdir(parents=True)
    assert environments.python_of(CONVERTERS["onnx"]) is None
    (folder / "whole").write_text("")
    found = json.loads(CliRunner().invoke(main, ["converters", "--json"]).output)
    assert [(each["name"], each["version"]) for each in found if each["name"] == "onnx"] == [
        ("onnx", "1.2")
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "say(reason='onnx2tf cannot convert it: operator Det')",
            "net.onnx: onnx2tf cannot .* Det$",
        ),
        ("print('loading', file=sys.stderr)\nsys.exit('Killed by something')", "died with .* 1: K"),
        ("(folder / 'result.json').write_text('{')", "died with exit code 0"),
    ],
)
def test_what_a_converter_says_of_its_failure(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    fake(tmp_path, monkeypatch, body)
    with pytest.raises(BadInputError, match=said):
        convert(find_source(str(network)), {}, {}, tmp_path)


def small_answers(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    (end,) = interface.read(content, "small").inputs
    shape = [n or 1 for n in end.shape]
    given = {end.name: np.random.default_rng(0).random((3, *shape)).astype(np.float32)}
    return given, ends.run(content, given)


@pytest.mark.parametrize(
    ("shift", "said"),
    [(0.0, ""), (0.01, "differ from ONNX's by 1.0"), (0.5, "answers otherwise as onnx2tf")],
)
def test_answers_are_held_against_the_frameworks(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float, said: str
) -> None:
    """The file answers as the source, almost, or otherwise; what is made is kept."""
    content = (FILES / "small.tflite").read_bytes()
    given, answers = small_answers(content)
    (own, x), ((out, y),) = next(iter(given.items())), answers.items()
    y = y + shift * np.ptp(y)
    np.savez(tmp_path / "a.npz", input_0=x, output_0=y)
    fake(
        tmp_path,
        monkeypatch,
        "import shutil\n"
        f"shutil.copy({str(FILES / 'small.tflite')!r}, folder / 'model.tflite')\n"
        f"shutil.copy({str(tmp_path / 'a.npz')!r}, folder / 'answers.npz')\n"
        f"say(inputs=[{own!r}], outputs=[{out!r}])",
    )
    cache = Cache(tmp_path / "cache", tmp_path)
    source = find_source(str(network))
    if shift > 0.1:
        with pytest.raises(BadInputError, match=said):
            converted.converted(source, {}, {}, cache)
        return
    found = converted.converted(source, {}, {}, cache)
    assert [said in note for note in found.notes] == ([True] if said else [])
    assert found.error == pytest.approx(shift, abs=1e-5)
    fake(tmp_path, monkeypatch, "say(reason='asked again')")
    assert converted.converted(source, {}, {}, cache) == found
    (tmp_path / "net.onnx.data").write_bytes(b"weights of its own")
    with pytest.raises(BadInputError, match="asked again"):
        converted.converted(source, {}, {}, cache)


def test_names_and_layout_are_the_sources() -> None:
    """An output whose channels the converter has moved to the end gets them back."""
    tf = pytest.importorskip("tensorflow")
    kernel = np.random.default_rng(0).random((3, 3, 2, 5)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 4, 2), name="x")])
    def seen(x: Any) -> Any:
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    content = tf.lite.TFLiteConverter.from_concrete_functions(
        [seen.get_concrete_function()]
    ).convert()
    x = np.random.default_rng(1).random((2, 1, 6, 4, 2)).astype(np.float32)
    y = np.stack([np.moveaxis(seen(tf.constant(one)).numpy(), -1, 1) for one in x])
    laid_out, moved = ends.as_source(content, {"Image/in": x}, {"mask:0": y})
    assert moved == "mask:0"
    (answer,) = ends.run(laid_out, {"Image/in": x}).values()
    np.testing.assert_allclose(answer, y, atol=1e-5)
    found = interface.read(laid_out, "m")
    assert (found.inputs[0].name, found.outputs[0].name) == ("Image/in", "mask:0")
    assert found.outputs[0].shape == (1, 5, 6, 4)
    with pytest.raises(StepError, match="it has 1 inputs, and its source 2"):
        ends.as_source(content, {"a": x, "b": x}, {"mask": y})


def needs(name: str) -> Path:
    """The environment's Python; without one the test is skipped, and says so."""
    found = environments.python_of(CONVERTERS[name])
    if found is None:
        pytest.skip(f"no {name} environment: mobilebench converters --install {name}")
    return found


MAKE_ONNX = """
import sys, numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh
random = np.random.default_rng(0)
def values(name, *shape):
    return nh.from_array((random.normal(size=shape) * 0.3).astype("float32"), name)
nodes = [
    h.make_node("Conv", ["image", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
    h.make_node("Relu", ["c"], ["r"]),
    h.make_node("Conv", ["r", "v"], ["mask"]),
]
ends = [
    [h.make_tensor_value_info(name, T.FLOAT, shape)]
    for name, shape in (("image", ["n", 3, "h", "w"]), ("mask", ["n", 2, "h", "w"]))
]
weights = [values("w", 8, 3, 3, 3), values("b", 8), values("v", 2, 8, 1, 1)]
graph = h.make_graph(nodes, "g", *ends, weights)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)])
model.ir_version = 9
onnx.save(model, sys.argv[1])
"""


def test_an_onnx_file(tmp_path: Path) -> None:
    python = needs("onnx")
    subprocess.run(
        [python, "-c", MAKE_ONNX, tmp_path / "seg.onnx"], check=True, env=dict(os.environ)
    )
    source = find_source(str(tmp_path / "seg.onnx"))
    with pytest.raises(BadInputError, match="input 'image' has an open shape"):
        convert(source, {}, {}, tmp_path)
    found = convert(source, {"": (1, 3, 16, 12)}, {}, tmp_path)
    assert found.error < 1e-3
    taken = interface.read(found.content, "m")
    assert (taken.inputs[0].name, taken.inputs[0].shape) == ("image", (1, 3, 16, 12))
    assert (taken.outputs[0].name, taken.outputs[0].shape) == ("mask", (1, 2, 16, 12))


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = torch.nn.Conv2d(3, 8, 3)
        self.dense = torch.nn.Linear(8, 4)

    def forward(self, image):
        return torch.softmax(self.dense(torch.relu(self.seen(image)).mean((2, 3))), -1)

def get_model():
    torch.manual_seed(0)
    return Net()
"""


def test_a_pytorch_module(tmp_path: Path) -> None:
    needs("torch")
    (tmp_path / "net.py").write_text(NET)
    source = find_source(str(tmp_path / "net.py"))
    found = convert(source, {}, {"": (3, 9, 7)}, tmp_path)
    assert found.error < 1e-3
    taken = interface.read(found.content, "m")
    assert (taken.inputs[0].name, taken.inputs[0].shape) == ("image", (1, 3, 9, 7))
    assert taken.outputs[0].shape == (1, 4)
