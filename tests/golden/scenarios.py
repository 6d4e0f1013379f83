"""Which outputs each stored run has, and how they come about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.golden.command_line import mobilebench

HERE = Path(__file__).parent
RUNS = HERE / "runs"

#: A command's words, by the name of the golden file that keeps what it says.
Commands = Mapping[str, str]


@dataclass(frozen=True)
class Scenario:
    """A stored run, or a folder of them: commands in order, and the files that they write.

    ``written`` are paths from the folder in which the run's own folder lies.
    """

    run: str
    commands: Commands
    written: tuple[str, ...] = ()
    #: Runs whose ``summary.csv`` is there beforehand, as after every run.
    summarised: tuple[str, ...] = field(default=())

    @property
    def outputs(self) -> list[str]:
        """The names of its golden files."""
        return [*self.commands, *(_golden_name(path) for path in self.written)]

    def produce(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Each output's name and whole text; the run is copied into the empty folder first.

        Raises:
            AssertionError: a command crashed, or did not write what it is to write.
        """
        shutil.copytree(RUNS / self.run, folder / self.run)
        environment = {"MOBILEBENCH_CACHE": str(folder / "cache")}
        for run in self.summarised:
            said = mobilebench(["report", run, "--format", "csv"], folder, environment)
            table = said.partition("\n")[2].rpartition("--- exit code 0")[0]
            (folder / run / "summary.csv").write_text(table, "utf-8")
        all_said = []
        for name, command in self.commands.items():
            all_said.append(mobilebench(command.split(), folder, environment))
            yield name, all_said[-1]
        for path in self.written:
            if not (folder / path).is_file():
                raise AssertionError("\n".join([f"no command wrote {path}:", *all_said]))
            yield _golden_name(path), (folder / path).read_text("utf-8")


def _golden_name(path: str) -> str:
    return path.rpartition("/")[2]


def _tables(run: str) -> dict[str, str]:
    return {
        f"report-{form}.txt": f"report {run} --format {form}"
        for form in ("terminal", "markdown", "csv", "latex", "json")
    }


def _report_files(run: str) -> tuple[str, ...]:
    return f"{run}/report.html", f"{run}/report.md", f"{run}/summary.csv"


def _run(run: str, **pages: str) -> Scenario:
    """A run's tables, and the commands that write its page: pages take seconds."""
    return Scenario(run, {**_tables(run), **pages}, _report_files(run))


def _gate(run: str, **more: str) -> Scenario:
    command = f"gate --resume {run} --junit junit.xml --summary step-summary.md"
    files = ("junit.xml", "step-summary.md", f"{run}/gate.json", *_report_files(run))
    terminal = f"report {run} --format terminal"
    return Scenario(run, {"gate.txt": command, "report-terminal.txt": terminal, **more}, files)


_NIGHTS = [f"nightly/202606{day:02}T020000Z-nightly" for day in range(1, 13)]
_INTERRUPTED, _LAST = _NIGHTS[5], _NIGHTS[-1]

_COMPARED = f"{_NIGHTS[1]} {_NIGHTS[2]} {_LAST} {_NIGHTS[0]}"

_NIGHTLY = Scenario(
    "nightly",
    {
        "history.txt": "history nightly --html history.html",
        "history-json.txt": "history nightly --json",
        "history-memory.txt": "history nightly --metric memory",
        "history-size.txt": "history nightly --metric size --recipe int8",
        "history-accuracy.txt": "history nightly --metric accuracy --model net --runtime cpu-4",
        "history-p99.txt": "history nightly --metric p99",
        "history-no-such-recipe.txt": "history nightly --recipe int4",
        "history-interrupted.txt": f"history {_INTERRUPTED}",
        "compare.txt": f"compare {_COMPARED} --html compare.html",
        "compare-json.txt": f"compare {_COMPARED} --json",
        "compare-refused.txt": f"compare {_NIGHTS[0]} {_LAST}",
        "compare-one.txt": f"compare {_LAST}",
        "report.txt": f"report {_LAST}",
        "report-interrupted.txt": f"report {_INTERRUPTED} --format terminal",
        "gate.txt": f"gate --resume {_LAST}",
    },
    ("history.html", "compare.html", *_report_files(_LAST)),
    tuple(night for night in _NIGHTS[:-1] if night != _INTERRUPTED),
)

SCENARIOS = {
    scenario.run: scenario
    for scenario in (
        _run("measured", **{"report.txt": "report measured"}),
        _run("phones", **{"resume.txt": "run --resume phones"}),
        _run("sustained", **{"resume-json.txt": "run --resume sustained --json"}),
        _gate("gate-fail"),
        _gate("gate-pass", **{"report.txt": "report gate-pass"}),
        _gate("gate-inconclusive", **{"gate-json.txt": "gate --resume gate-inconclusive --json"}),
        _gate("gate-invalid"),
        _run("answers", **{"resume.txt": "run --resume answers"}),
        _gate("gate-answers", **{"gate-json.txt": "gate --resume gate-answers --json"}),
        _NIGHTLY,
    )
}
