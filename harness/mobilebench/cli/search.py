"""Look for the recipe to ship."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from mobilebench.cli.options import (
    Command,
    allow_option,
    cpus_option,
    data_option,
    echo_json,
    one_device_option,
    results_option,
    seed_option,
    shape_option,
    signature_option,
    student_option,
    task_option,
    teacher_option,
)
from mobilebench.devices.checks import DeviceCheck
from mobilebench.errors import BadInputError

if TYPE_CHECKING:
    from rich.console import Console

    from mobilebench.runs.run import Watcher
    from mobilebench.search.view import SearchView

_FAILED = 1

_EXIT_CODES = """\b
Exit codes:
  0    what was chosen keeps the limits on data that no choice has seen
  1    nothing keeps them, or what was chosen does not
  2    wrong usage or bad input
  4    the device is lost or unfit; go on with --resume
  130  interrupted; go on with --resume"""

_TIMES = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_SPANS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-zµ]*)")


class Amount(click.ParamType):  # type: ignore[type-arg]
    """A number with its unit: ``5ms``."""

    def __init__(self, name: str, units: dict[str, float], example: str) -> None:
        self.name = name
        self._units = units
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """In the base unit; click.BadParameter where it is none."""
        if isinstance(value, float):
            return value
        found = _AMOUNT.fullmatch(str(value).strip())
        if found is None or found[2] not in self._units or float(found[1]) <= 0:
            known = ", ".join(unit for unit in self._units if unit)
            self.fail(f"{value!r} is no {self.name}: write {self._example} ({known})", param, ctx)
        return float(found[1]) * self._units[found[2]]


_TIME = Amount("time", _TIMES, "5ms")
_SPAN = Amount("span of time", _SPANS, "2h")
_SIZE = Amount("size", _SIZES, "300KB")
_COUNT = Amount("number", {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}, "5M")
_ENERGY = Amount("energy", {"uJ": 1e-6, "µJ": 1e-6, "mJ": 1e-3, "J": 1.0}, "2mJ")


@click.command(cls=Command, epilog=_EXIT_CODES)
@click.argument("model", required=False)
@data_option
@task_option
@student_option
@teacher_option
@shape_option
@signature_option
@one_device_option
@allow_option
@click.option("--threads", type=int, help="Threads of the runtime.  [default: 1]")
@cpus_option
@click.option(
    "--minimize",
    multiple=True,
    type=click.Choice(["size", "download", "macs", "latency", "memory", "energy"]),
    help="What is to be small, the most important first; may be repeated.  "
    "[default: size, latency]",
)
@click.option(
    "--max-quality-loss",
    type=click.FloatRange(min=0),
    metavar="N",
    help="How much worse than MODEL it may be: points of a share, the metric's own unit of "
    "anything else.  [default: 1]",
)
@click.option("--max-size", type=_SIZE, metavar="SIZE", help="The largest file, as 300KB.")
@click.option(
    "--max-download", type=_SIZE, metavar="SIZE", help="The largest file after gzip, as 100KB."
)
@click.option("--max-macs", type=_COUNT, metavar="N", help="The most multiply-accumulates, as 5M.")
@click.option("--max-latency", type=_TIME, metavar="TIME", help="The longest inference, as 5ms.")
@click.option("--max-memory", type=_SIZE, metavar="SIZE", help="The most memory, as 30MB.")
@click.option(
    "--max-energy", type=_ENERGY, metavar="ENERGY", help="The most energy of an inference, as 2mJ."
)
@click.option(
    "--budget",
    type=_SPAN,
    metavar="TIME",
    help="How long to search, as 20m or 2h; the run that confirms comes on top.  [default: 1h]",
)
@click.option(
    "--candidates", "most", type=click.IntRange(min=1), metavar="N", help="So many at most."
)
@click.option(
    "--space",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file with what may be tried, instead of what MobileBench knows.",
)
@click.option("--recipe", "start", multiple=True, help="A recipe to begin with; may be repeated.")
@click.option(
    "--sampler",
    type=click.Choice(["tpe", "nsga2", "random"]),
    help="What proposes recipes.  [default: tpe]",
)
@click.option(
    "--blocks", type=int, help="Fresh processes per variant of the run that confirms. [default: 6]"
)
@seed_option
@results_option
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="SEARCH",
    help="Go on with the search in that folder, beside other processes at it; --budget and "
    "--candidates are of all its sessions.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def search(
    model: str | None,
    max_size: float | None,
    max_download: float | None,
    max_macs: float | None,
    max_latency: float | None,
    max_memory: float | None,
    max_energy: float | None,
    as_json: bool,
    resume: Path | None,
    allow: tuple[DeviceCheck, ...],
    **given: Any,
) -> None:
    """Look for the recipe to ship: within a budget, on a device, by quality on labelled data.

    It begins with the recipes of docs/recipes.md and goes on by Optuna's proposals. Half of the
    evaluation data chooses; the chosen recipe and the rest of the front, six at most, are then
    measured by an ordinary run on the other half, which no choice has seen. The search's folder
    has a page that renews itself, the files, and a suite of them.

    \b
    Examples:
      mobilebench search zoo:digits-teacher --budget 10m
      mobilebench search model.keras --data d.npz --max-quality-loss 0.5 --minimize size
      mobilebench search model.keras --data d.npz --device R5CT1234ABC --max-latency 5ms --budget 2h
      mobilebench search model.tflite --data d.npz --minimize latency --max-size 300KB
      mobilebench search zoo:digits-teacher --lab tls://lab:8786 --device 'lab:model=Pixel 9'
      mobilebench search --resume results/20260131T120000Z-search-model --budget 3h
    """
    from mobilebench import api
    from mobilebench.cli.terminal import errors, output
    from mobilebench.report.exports import search as shown

    limits = {
        "size": max_size,
        "download": max_download,
        "macs": max_macs,
        "latency": max_latency,
        "memory": max_memory,
        "energy": max_energy,
    }
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    budget, most = given.pop("budget"), given.pop("most")
    settings: dict[str, Any] = {}
    if resume is None:
        if model is None:
            raise BadInputError("name a model to search for, or a search to go on with (--resume)")
        settings = {n: v for n, v in given.items() if v not in (None, (), {})}
        settings |= {"limits": limits, "allow": allow}
    else:
        own = {n: v for n, v in given.items() if n not in ("seed", "results", "shapes")}
        if model or limits or allow or any(v not in (None, (), {}) for v in own.values()):
            raise BadInputError(
                "--resume goes on with the search as it was begun: give --budget and --candidates "
                "alone beside it"
            )
    with SearchDisplay(errors()) as display:
        found = api.search(
            model,
            **settings,
            budget=budget,
            most=most,
            resume=resume,
            progress=display,
            command=["mobilebench", *sys.argv[1:]],
        )
    if as_json:
        echo_json({**shown.document(found.view), "files": [str(path) for path in found.files]})
    else:
        _show(output(), found.view, found.chosen_file)
    if not (found.view.chosen and found.view.holds):
        raise SystemExit(_FAILED)


def _show(console: Console, view: SearchView, chosen: Path | None) -> None:
    from mobilebench.report.exports import search as shown
    from mobilebench.search.settings import PAGE, SUITE

    console.print(shown.terminal(view))
    console.print()
    lines: list[tuple[str, Path]] = []
    if chosen is not None:
        lines.append(("File", chosen))
    if view.run is not None:
        lines.append(("Suite", view.folder / SUITE))
    lines.append(("Page", view.folder / PAGE))
    if view.run is not None:
        lines.append(("Run", view.run))
    for name, path in lines:
        console.print(f"{name + ':':7}{path}", soft_wrap=True, highlight=False)


class SearchDisplay:
    """The front while it is searched for, on the error stream."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        from mobilebench.cli.terminal import RunDisplay

        self._console = console
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._confirming = RunDisplay(console)
        self._view: SearchView | None = None
        self._step = ""
        self._said = 0

    def __enter__(self) -> SearchDisplay:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: Any) -> Literal[False]:
        self._live.stop()
        self._confirming.__exit__(*error)
        return False

    @property
    def run(self) -> Watcher:
        """Shows the run that confirms."""
        return self._confirming

    def step(self, text: str) -> None:
        """Shows what is under way."""
        self._step = text
        self._draw()

    def view(self, view: SearchView) -> None:
        """Shows the front; without a terminal, a line a candidate."""
        self._view = view
        if view.state != "searching":
            self._live.stop()
            return
        if self._live.is_started:
            self._draw()
            return
        from mobilebench.report.exports.search import line

        for candidate in view.candidates[self._said :]:
            self._console.print(line(view, candidate), soft_wrap=True, highlight=False)
        self._said = len(view.candidates)

    def _draw(self) -> None:
        if not self._live.is_started:
            return
        from rich.console import Group
        from rich.text import Text

        from mobilebench.report.exports.search import terminal
        from mobilebench.text import plain

        under_way = Text(plain(self._step), style="dim", no_wrap=True, overflow="ellipsis")
        parts = [] if self._view is None else [terminal(self._view)]
        self._live.update(Group(*parts, under_way), refresh=True)
