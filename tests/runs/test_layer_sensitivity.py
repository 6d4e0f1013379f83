from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.compress.pruning.sensitivity import LEVELS, Scan
from mobilebench.report.figures.scans import MOST_LAYERS, scan_pictures

from tests.support.run_records import run_of

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def document(digits: Any) -> dict[str, Any]:
    command = ["sensitivity", str(digits.model), "--data", str(digits.data), "--json"]
    result = CliRunner().invoke(main, [*command, "--sparsity", "0.9"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_document_is_the_scan(document: dict[str, Any]) -> None:
    assert document["levels"] == list(LEVELS)
    assert [layer["weights"] for layer in document["layers"]] == [25088, 320]
    scan = Scan.read(document)
    rates = [layer["rate"] for layer in document["layers"]]
    assert scan.rates(0.9) == pytest.approx(rates)
    assert sum(r * la.weights for r, la in zip(rates, scan.layers, strict=True)) == pytest.approx(
        0.9 * 25408, rel=1e-3
    )


def test_the_table_has_every_layer(digits: Any) -> None:
    command = ["sensitivity", str(digits.model), "--data", str(digits.data)]
    result = CliRunner().invoke(main, command)
    assert "digits_32/hidden" in result.output
    assert "rate for 80 %" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["zoo:mobilenet-v2"], "ranks by training data, and data random has no training samples"),
        (["no.keras"], "no.keras does not exist"),
        (["zoo:lenet-5", "--sparsity", "1"], "0<x<=0.99"),
    ],
)
def test_bad_input(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(main, ["sensitivity", *arguments])
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())


def artifact(document: Any, model: str = "digits", step: str = "prune(0.9)") -> dict[str, Any]:
    return {
        "model": model,
        "recipe": step,
        "sha256": "0" * 64,
        "sizes": {"file": 1},
        "provenance": {"steps": [{"step": "convert"}, {"step": step, "sensitivity": document}]},
    }


def test_each_scan_is_drawn_once(document: dict[str, Any]) -> None:
    artifacts = [artifact(document), artifact(document), artifact(document, model="<b>other")]
    first, second = scan_pictures(run_of(artifacts=artifacts))
    assert first.title == "Sensitivity of each layer: digits, prune(0.9)"
    assert "digits_32/hidden" in first.svg
    assert "on 200 samples" in first.caption
    assert "<b>other" not in second.svg
    assert first == scan_pictures(run_of(artifacts=artifacts))[0]
    many = {**document, "layers": document["layers"] * 25}
    (picture,) = scan_pictures(run_of(artifacts=[artifact(many)]))
    assert f"{50 - MOST_LAYERS} smaller layers" in picture.caption


@pytest.mark.parametrize(
    "scan",
    [
        None,
        {},
        {"levels": 1, "layers": [{}]},
        {"levels": [0], "layers": []},
        {"levels": [0], "layers": [None]},
        {"levels": [0], "layers": [{"accuracy": ["x"], "rate": 0.5, "weights": 1}]},
    ],
)
def test_what_is_no_scan_is_passed_over(scan: Any) -> None:
    assert scan_pictures(run_of(artifacts=[artifact(scan)])) == []
    assert scan_pictures(run_of()) == []
