"""The ``mobilebench`` command: parse, call, print; no logic.

Modules are imported inside the commands that need them: ``--help`` must answer at once.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from harness import __version__
from harness.errors import BadInputError, MobileBenchError

if TYPE_CHECKING:
    from harness.store import RunFolder

_INTERRUPTED = 130
_SOME_FAILED = 1

#: The table formats, as the command line calls them.
_TABLES: dict[str, Literal["md", "csv", "latex"]] = {
    "markdown": "md",
    "csv": "csv",
    "latex": "latex",
}

_EXIT_CODES = """\b
Exit codes:
  0    every trial is valid
  1    some variants or trials failed; the report says which and why
  2    wrong usage or bad input; nothing was measured
  4    the run is invalid or cannot go on
  130  interrupted; resume it with --resume"""


class _Command(click.Command):
    """A command whose errors are one sentence and an exit code, never a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except MobileBenchError as error:
            click.echo(f"mobilebench: {error}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("mobilebench: interrupted", err=True)
            context.exit(_INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output has gone, as `| head` does.
            sys.stderr.close()
            context.exit(0)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mobilebench")
def main() -> None:
    """Compress models, run them on real devices, and read which variant to ship.

    \b
    Examples:
      mobilebench run                          the quickstart suite, on this machine
      mobilebench run suite.toml               your own suite
      mobilebench run a.tflite b.tflite        two ready files, side by side
      mobilebench compress model.keras "prune(0.8) → int8" --data data.npz
      mobilebench report results/RUN --format latex
    """


@main.command(cls=_Command, epilog=_EXIT_CODES)
@click.argument(
    "what", nargs=-1, metavar="[SUITE.toml | MODEL...]", type=click.Path(path_type=Path)
)
@click.option(
    "--data", help="Data of a MODEL: an .npz or .py file, or mnist-subset, mnist, random."
)
@click.option("--recipe", "recipes", multiple=True, help="A recipe for MODEL; may be repeated.")
@click.option("--blocks", type=int, help="Fresh processes a variant, instead of the suite's.")
@click.option("--seconds", type=float, help="Seconds measured a trial, instead of the suite's.")
@click.option("--threads", type=int, help="Threads, instead of the suite's runtimes.")
@click.option("--seed", type=int, help="Seed, instead of the suite's.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The folder in which the run gets its own.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Finish the run in that folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def run(
    what: tuple[Path, ...],
    data: str | None,
    recipes: tuple[str, ...],
    blocks: int | None,
    seconds: float | None,
    threads: int | None,
    seed: int | None,
    results: Path,
    resume: Path | None,
    as_json: bool,
) -> None:
    """Compress, measure and report: a suite, or model files.

    Without an argument it runs the quickstart suite. Of several model files the first is the
    baseline, the others are ready .tflite files to compare with it.

    \b
    Examples:
      mobilebench run suites/quickstart.toml
      mobilebench run suite.toml --blocks 12 --results /data/results
      mobilebench run model.keras --recipe float32 --recipe int8 --data data.npz
      mobilebench run old.tflite new.tflite --data eval.npz --json
      mobilebench run --resume results/20260131T120000Z-quickstart
    """
    from rich.console import Console

    from harness import run as runs
    from harness.suite import choose_suite
    from harness.terminal import RunDisplay

    overrides = {"blocks": blocks, "seconds": seconds, "threads": threads, "seed": seed}
    given = {name: value for name, value in overrides.items() if value is not None}
    # A job that a CI system cancels must leave a run that can be resumed, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if resume is not None:
        if what or data or recipes or given:
            raise BadInputError("--resume goes on with the run's own suite; give it alone")
        with RunDisplay(Console(stderr=True)) as display:
            folder = runs.resume(resume, display)
    else:
        suite = choose_suite(what, data, recipes, given)
        with RunDisplay(Console(stderr=True)) as display:
            folder = runs.start(suite, results, ["mobilebench", *sys.argv[1:]], display)
    _conclude(folder, as_json)


@main.command(cls=_Command)
@click.argument("model")
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option("--data", help="An .npz or .py file, or mnist-subset, mnist, random.")
@click.option("--student", help="The smaller model that distill trains: zoo:NAME or a .keras file.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the .tflite files.  [default: this one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def compress(
    model: str,
    recipes: tuple[str, ...],
    data: str | None,
    student: str | None,
    seed: int,
    into: Path,
    as_json: bool,
) -> None:
    """Make a smaller .tflite of MODEL for each RECIPE, without measuring it.

    MODEL is zoo:NAME, a .keras file, a SavedModel folder or a .tflite file. A recipe is a chain
    of steps, joined by → or ->.

    \b
    Examples:
      mobilebench compress zoo:lenet-5 float32 "prune(0.8) -> int8"
      mobilebench compress model.keras "int8(samples=500)" --data data.npz --into out
      mobilebench compress zoo:digits-teacher "distill(T=4, alpha=0.7) -> int8" \\
          --student zoo:digits-student
    """
    from rich.console import Console

    from harness.products import make_files
    from harness.terminal import RunDisplay, output

    with RunDisplay(Console(stderr=True)) as display:
        products = make_files(model, recipes, data, student, seed, into, display.compressing)
    if as_json:
        click.echo(json.dumps(products.as_json(), indent=2, ensure_ascii=False))
    else:
        output().print(products.as_table())
    if products.failures:
        raise SystemExit(_SOME_FAILED)


@main.command(cls=_Command)
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", *_TABLES, "json", "terminal"]),
    default="html",
    show_default=True,
    help="html writes all report files anew; the others print the table.",
)
def report(folder: Path, form: str) -> None:
    """Build the report of a run anew, from its folder alone.

    \b
    Examples:
      mobilebench report results/20260131T120000Z-quickstart
      mobilebench report results/20260131T120000Z-quickstart --format markdown | pbcopy
      mobilebench report results/20260131T120000Z-quickstart --format latex > table.tex
    """
    from harness import report as reports
    from harness.store import RunFolder
    from harness.terminal import output

    run_folder = RunFolder.open(folder)
    if form == "html":
        click.echo(reports.build(run_folder))
        return
    summary = reports.summary_of(run_folder)
    if form == "json":
        click.echo(json.dumps(reports.document(summary), indent=2, ensure_ascii=False))
    elif form == "terminal":
        output().print(reports.terminal(summary))
    else:
        click.echo(reports.table(summary, _TABLES[form]), nl=False)


@main.command(cls=_Command)
@click.option("--json", "as_json", is_flag=True, help="Print the devices as JSON.")
def devices(as_json: bool) -> None:
    """Show where models can run, and on which runtime.

    \b
    Examples:
      mobilebench devices
      mobilebench devices --json
    """
    from dataclasses import asdict

    from harness import terminal
    from harness.run import probe_all

    found = probe_all()
    if as_json:
        click.echo(json.dumps([asdict(device) for device in found], indent=2))
    else:
        terminal.output().print(terminal.device_table(found))


def _conclude(folder: RunFolder, as_json: bool) -> None:
    from harness import report as reports
    from harness.run import exit_code
    from harness.terminal import output

    summary = reports.summary_of(folder)
    page = reports.build(folder, summary)
    code = exit_code(folder)
    if as_json:
        paths = {"folder": str(folder.path), "report": str(page), "exit_code": code}
        document = {**paths, **reports.document(summary)}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        console = output()
        console.print(reports.terminal(summary))
        console.print(f"Report: {page}", soft_wrap=True, highlight=False)
    if code:
        raise SystemExit(code)
