"""The page of a gate."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from mobilebench.cli.main import main
from mobilebench.report.write import build_gate
from mobilebench.runs import verdict as verdicts

from tests.support.gates import by_metric, run_gate
from tests.support.scripted_device import Open, ScriptedDevice, slower


@pytest.mark.parametrize(("by", "noise", "verdict", "words"), [
    (0.0, 0.002, "PASS", "Shown to be not worse than the margins allow: latency, memory."),
    (0.2, 0.002, "FAIL", "Shown to be worse than the margin: latency."),
    (0.03, 0.2, "INCONCLUSIVE", "Too noisy, or too little known, to show either: latency."),
])  # fmt: skip
def test_the_page_begins_with_the_verdict(
    tmp_path: Path, on: Open, by: float, noise: float, verdict: str, words: str
) -> None:
    on(ScriptedDevice(slower(by, noise)))
    result = run_gate(tmp_path)
    build_gate(result)
    page = (result.folder / "report.html").read_text()
    assert f'<p class="word">{verdict}</p>' in page
    assert words in page
    assert page.count('<svg class="effect"') == 2
    cells = verdicts.row(by_metric(result)["latency"])
    for cell in cells[2:]:
        assert cell.replace(" %", "\N{NO-BREAK SPACE}%") in page
    assert (result.folder / "report.md").read_text().startswith("## ")
    # Built anew from the folder, it says the same.
    done = CliRunner().invoke(main, ["report", str(result.folder)])
    assert done.exit_code == 0, done.output
    assert (result.folder / "report.html").read_text() == page
