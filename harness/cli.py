"""The ``mobilebench`` command: parse, call, print; no logic.

Modules are imported inside the commands that need them: ``--help`` must answer at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from harness import __version__
from harness.errors import (
    BadInputError,
    InterruptedRunError,
    InvalidRunError,
    MobileBenchError,
)
from harness.phone_checks import PhoneCheck

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
            _silence()
            context.exit(0)


_device_option = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID",
    help="Where to measure: a serial, adb://HOST:PORT/SERIAL, all, or local; may be repeated.",
)
_allow_option = click.option(
    "--allow",
    multiple=True,
    type=click.Choice(get_args(PhoneCheck)),
    help="Measure a phone although this check fails; every result says so. May be repeated; "
    "without --device it means --device all.",
)
_results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The folder in which the run gets its own.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mobilebench")
def main() -> None:
    """Compress models, run them on real devices, and read which variant to ship.

    \b
    Examples:
      mobilebench run                          the quickstart suite, on this machine
      mobilebench run suite.toml               your own suite
      mobilebench run a.tflite b.tflite        two ready files, side by side
      mobilebench run suite.toml --device all  on every phone that is plugged in
      mobilebench compress model.keras "prune(0.8) → int8" --data data.npz
      mobilebench report results/RUN --format latex
      mobilebench gate --baseline main.tflite --candidate branch.tflite
    """


@main.command(cls=_Command, epilog=_EXIT_CODES)
@click.argument(
    "what", nargs=-1, metavar="[SUITE.toml | MODEL...]", type=click.Path(path_type=Path)
)
@click.option(
    "--data", help="Data of a MODEL: an .npz or .py file, or mnist-subset, mnist, random."
)
@click.option("--student", help="The smaller model that distill trains: zoo:NAME or a .keras file.")
@click.option("--recipe", "recipes", multiple=True, help="A recipe for MODEL; may be repeated.")
@click.option("--blocks", type=int, help="Fresh processes a variant, instead of the suite's.")
@click.option("--seconds", type=float, help="Seconds measured a trial, instead of the suite's.")
@click.option("--threads", type=int, help="Threads, instead of the suite's runtimes.")
@click.option("--seed", type=int, help="Seed, instead of the suite's.")
@_device_option
@_allow_option
@_results_option
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
    student: str | None,
    recipes: tuple[str, ...],
    blocks: int | None,
    seconds: float | None,
    threads: int | None,
    seed: int | None,
    devices: tuple[str, ...],
    allow: tuple[PhoneCheck, ...],
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
      mobilebench run suite.toml --device all
      mobilebench run suite.toml --device R5CT1234ABC --allow battery
      mobilebench run --resume results/20260131T120000Z-quickstart
    """
    from rich.console import Console

    from harness import run as runs
    from harness import selection
    from harness.suite import choose_suite
    from harness.terminal import RunDisplay

    overrides = {"blocks": blocks, "seconds": seconds, "threads": threads, "seed": seed}
    given: dict[str, Any] = {name: v for name, v in overrides.items() if v is not None}
    # A job that a CI system cancels must leave a run that can be resumed, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if resume is not None:
        if what or data or student or recipes or given or devices or allow:
            raise BadInputError("--resume goes on with the run's own suite; give it alone")
        with RunDisplay(Console(stderr=True)) as display:
            folder = runs.resume(resume, display)
    else:
        if devices or allow:
            given["devices"] = selection.choose_devices(devices or ("all",), allow)
        suite = choose_suite(what, data, recipes, given, student)
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
    """Show where models can run: this machine, and the phones and boards that adb sees.

    A device that is not ready is shown with what to do about it.

    \b
    Examples:
      mobilebench devices
      mobilebench devices --json
    """
    from dataclasses import asdict

    from harness import selection, terminal

    found = selection.find_devices()
    if as_json:
        local = [asdict(found.local)] if found.local else []
        document = {"local": local, "connected": [asdict(d) for d in found.connected]}
        click.echo(json.dumps({**document, "notes": found.notes}, indent=2, ensure_ascii=False))
        return
    terminal.output().print(terminal.device_table(found.local, found.connected))
    for note in found.notes:
        click.echo(note, err=True)


@main.command(cls=_Command)
@_device_option
@click.option("--repair", is_flag=True, help="Do what can be done without the phone's owner.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Save what the phone prints as test data, without serial numbers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(devices: tuple[str, ...], repair: bool, record: Path | None, as_json: bool) -> None:
    """Look a phone over before it is measured: adb, app, storage, battery, heat, screen.

    \b
    Examples:
      mobilebench doctor
      mobilebench doctor --device R5CT1234ABC --repair
      mobilebench doctor --record dumps
    """
    from dataclasses import asdict

    from harness import selection, terminal

    healthy = True
    documents = []
    for patient in selection.patients(devices or ("all",)):
        checks = patient.repair() if repair else patient.examine()
        healthy &= all(check.ok for check in checks)
        documents.append({"device": patient.name, "checks": [asdict(check) for check in checks]})
        if not as_json:
            terminal.output().print(patient.name, style="bold", highlight=False)
            terminal.output().print(terminal.check_table(checks))
        if record:
            for path in patient.record(record):
                click.echo(f"recorded {path}", err=as_json)
    if as_json:
        click.echo(json.dumps(documents, indent=2, ensure_ascii=False))
    if not healthy:
        raise SystemExit(InvalidRunError.exit_code)


@main.command(cls=_Command)
@click.argument("suite", metavar="SUITE.toml", type=click.Path(path_type=Path))
@_allow_option
@_results_option
def watch(suite: Path, allow: tuple[PhoneCheck, ...], results: Path) -> None:
    """Run a suite on each phone as it is plugged in, until Ctrl-C.

    \b
    Examples:
      mobilebench watch suite.toml
      mobilebench watch suite.toml --results /data/results
    """
    from rich.console import Console

    from harness import run as runs
    from harness import selection
    from harness.suite import choose_suite
    from harness.terminal import RunDisplay

    choose_suite([suite], None, [], {})  # a typo is told now, not when a phone is plugged in
    click.echo("waiting for a phone; Ctrl-C ends", err=True)
    for serial in selection.plugged_in():
        click.echo(f"{serial} is ready", err=True)
        try:
            specs = selection.choose_devices([serial], allow)
            chosen = choose_suite([suite], None, [], {"devices": specs})
            with RunDisplay(Console(stderr=True)) as display:
                folder = runs.start(chosen, results, ["mobilebench", *sys.argv[1:]], display)
            _show(folder)
        except InterruptedRunError:
            raise
        except MobileBenchError as error:
            click.echo(f"mobilebench: {error}", err=True)
        click.echo("waiting for a phone; Ctrl-C ends", err=True)


_GATE_EXIT_CODES = """\b
Exit codes:
  0    PASS: the candidate is not worse than the margins allow
  1    FAIL: some metric is worse than its margin
  2    wrong usage or bad input; nothing was measured
  3    INCONCLUSIVE: too noisy to tell
  4    INVALID: a trial failed, or the device was unfit or lost
  130  interrupted; go on with --resume"""


@main.command(cls=_Command, epilog=_GATE_EXIT_CODES)
@click.argument("suite", required=False, metavar="[SUITE.toml]", type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), help="The .tflite known to be good.")
@click.option("--candidate", type=click.Path(path_type=Path), help="The .tflite to be judged.")
@click.option("--data", help="Labelled data: an .npz or .py file, or mnist-subset, mnist.")
@click.option("--policy", type=click.Path(path_type=Path), help="Margins, as a TOML file.")
@click.option("--seconds", type=float, help="Seconds measured a trial.")
@click.option("--threads", type=int, help="Threads.")
@click.option("--seed", type=int, help="Seed of inputs and order.")
@_device_option
@_allow_option
@_results_option
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Finish the gate in that folder, or show its verdict again.",
)
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    help="Append Markdown to this file, as to $GITHUB_STEP_SUMMARY.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def gate(
    suite: Path | None,
    baseline: Path | None,
    candidate: Path | None,
    data: str | None,
    policy: Path | None,
    seconds: float | None,
    threads: int | None,
    seed: int | None,
    devices: tuple[str, ...],
    allow: tuple[PhoneCheck, ...],
    results: Path,
    resume: Path | None,
    junit: Path | None,
    summary: Path | None,
    as_json: bool,
) -> None:
    """Say whether a candidate is as good as its baseline: PASS, FAIL, INCONCLUSIVE or INVALID.

    Both are measured in one session, in blocks of random order. In a suite, each model's first
    recipe is the baseline and all its other variants are candidates.

    \b
    Examples:
      mobilebench gate --baseline main.tflite --candidate branch.tflite
      mobilebench gate --baseline main.tflite --candidate branch.tflite --data eval.npz \\
          --policy policy.toml --junit gate.xml --summary "$GITHUB_STEP_SUMMARY"
      mobilebench gate suite.toml --device R5CT1234ABC
      mobilebench gate --resume results/20260131T120000Z-gate-branch
    """
    from rich.console import Console

    from harness import arms, selection
    from harness import gate as gates
    from harness.policy import read_policy
    from harness.report import gate_outputs
    from harness.terminal import RunDisplay, output

    for path in filter(None, (junit, summary)):
        if not path.absolute().parent.is_dir():
            raise BadInputError(f"cannot write {path}: its folder does not exist")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if resume is not None:
        if any((suite, baseline, candidate, data, policy, devices, allow)):
            raise BadInputError("--resume goes on with the gate's own suite; give it alone")
        with RunDisplay(Console(stderr=True)) as display:
            result = gates.resume(resume, display)
    else:
        rules = read_policy(policy)
        specs = selection.choose_devices(devices or ("all",), allow) if devices or allow else ()
        given = arms.settings(seconds, threads, seed, specs)
        if suite is not None and not (baseline or candidate or data):
            chosen = arms.suite_of_file(suite, given)
        elif suite is None and baseline and candidate:
            chosen = arms.suite_of_files(baseline, candidate, data, given)
        else:
            raise BadInputError(
                "give --baseline and --candidate, or a suite file alone, which names its own models"
            )
        with RunDisplay(Console(stderr=True)) as display:
            command = ["mobilebench", *sys.argv[1:]]
            result = gates.start(chosen, rules, results, command, display)
    if junit:
        _write(junit, gate_outputs.junit(result), "w")
    if summary:
        _write(summary, gate_outputs.github(result), "a")
    if as_json:
        click.echo(json.dumps(gate_outputs.document(result), indent=2, ensure_ascii=False))
    else:
        output().print(gate_outputs.terminal(result))
        output().print(f"Run: {result.folder}", soft_wrap=True, highlight=False)
    raise SystemExit(result.exit_code)


@main.command(cls=_Command)
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option("--seconds", type=float, help="Seconds measured a trial.")
@click.option("--threads", type=int, help="Threads.")
@_device_option
@_allow_option
@_results_option
@click.option("--json", "as_json", is_flag=True, help="Print the noise as JSON.")
def calibrate(
    model: Path,
    seconds: float | None,
    threads: int | None,
    devices: tuple[str, ...],
    allow: tuple[PhoneCheck, ...],
    results: Path,
    as_json: bool,
) -> None:
    """Measure how much a model differs from itself here: the noise below which no gate judges.

    It is kept for this device, runtime and file; later gates with MODEL as their baseline take
    twice the noise as their margin where that is wider than the policy's.

    \b
    Examples:
      mobilebench calibrate main.tflite
      mobilebench calibrate main.tflite --device R5CT1234ABC
    """
    from dataclasses import asdict

    from rich.console import Console

    from harness import arms, calibration, selection
    from harness.terminal import RunDisplay

    specs = selection.choose_devices(devices or ("all",), allow) if devices or allow else ()
    suite = arms.suite_of_files(model, model, None, arms.settings(seconds, threads, None, specs))
    with RunDisplay(Console(stderr=True)) as display:
        command = ["mobilebench", *sys.argv[1:]]
        folder, noises = calibration.calibrate(suite, results, command, display)
    if as_json:
        document = {"folder": str(folder.path), "noise": [asdict(noise) for noise in noises]}
        click.echo(json.dumps(document, indent=2))
        return
    for noise in noises:
        click.echo(calibration.sentence(noise))


@main.command(cls=_Command)
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(runs: tuple[Path, ...], as_json: bool) -> None:
    """Show stored runs beside the first one: advice, never a verdict.

    What is not comparable (another device, kind, runtime version or protocol) is refused, with the
    reason; exit code 2 if that is all of it.

    \b
    Examples:
      mobilebench compare results/20260131T120000Z-suite results/20260207T120000Z-suite
    """
    from harness import compare as comparing
    from harness.terminal import output

    comparison = comparing.compare(runs)
    if as_json:
        click.echo(json.dumps(comparison.as_json(), indent=2, ensure_ascii=False))
    else:
        output().print(comparing.terminal(comparison))


def _write(path: Path, text: str, mode: Literal["w", "a"]) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidRunError(f"cannot write {path}: {error.strerror}") from error


@main.command("cross-check", cls=_Command)
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option(
    "--binary",
    required=True,
    type=click.Path(path_type=Path),
    help="benchmark_model, built for the device.",
)
@click.option("--device", required=True, metavar="ID", help="A serial or adb://HOST:PORT/SERIAL.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the timings as JSON.")
def cross_check(model: Path, binary: Path, device: str, threads: int, as_json: bool) -> None:
    """Run TensorFlow's own benchmark_model on a device, to hold our numbers against.

    It keeps no samples and runs outside an app, so its numbers stand apart from every report.

    \b
    Examples:
      mobilebench cross-check model.tflite --binary benchmark_model --device R5CT1234ABC
    """
    from dataclasses import asdict

    from harness.cross_check import cross_check as run_upstream
    from harness.devices.benchmark_model import EXECUTOR

    timings = asdict(run_upstream(model, binary, device, threads))
    if as_json:
        click.echo(json.dumps({"executor": EXECUTOR, "unit": "ns", **timings}, indent=2))
        return
    counts = ("count", "nodes", "delegated", "partitions")
    for name, value in timings.items():
        unit = "" if name in counts else " ms"
        shown = "not told" if value is None else value if not unit else f"{value / 1e6:.4g}"
        click.echo(f"{name:<18}{shown}{unit if value is not None else ''}")


@main.group()
def app() -> None:
    """Build the Android app, or say what is shipped.

    \b
    Examples:
      mobilebench app show
      mobilebench app build --runtime litert.aar --output litert.apk
    """


@app.command(cls=_Command)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(as_json: bool) -> None:
    """Say which app travels with this version: runtime, processors, hash."""
    from harness.app import shipped

    facts = shipped.info().as_json()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        click.echo(f"{name:<20}{value}")


@app.command(cls=_Command)
@click.option("--output", type=click.Path(path_type=Path), help="Where the APK goes.")
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="AAR",
    help="Another runtime in place of TensorFlow Lite's; may be repeated.",
)
@click.option(
    "--sdk",
    envvar="ANDROID_HOME",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="An installed Android SDK, in place of the pinned packages.",
)
def build(output: Path | None, runtimes: tuple[Path, ...], sdk: Path | None) -> None:
    """Build and sign the APK from a checkout of MobileBench; the same sources, the same bytes."""
    from harness.app import build as builder
    from harness.app import shipped

    made = builder.build(output or shipped.APK, runtimes, sdk)
    click.echo(f"{output or shipped.APK}  {made.size:,} bytes  sha256 {made.sha256}")


def _show(folder: RunFolder, as_json: bool = False) -> int:
    """Writes the report, prints the table or the document, and returns the exit code."""
    from harness import report as reports
    from harness.run import exit_code
    from harness.terminal import output

    summary = reports.summary_of(folder)
    page = reports.build(folder, summary)
    code = exit_code(folder)
    try:
        if as_json:
            document = {"folder": str(folder.path), "report": str(page), "exit_code": code}
            document |= reports.document(summary)
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            console = output()
            console.print(reports.terminal(summary))
            console.print(f"Report: {page}", soft_wrap=True, highlight=False)
    except BrokenPipeError:
        _silence()
    return code


def _silence() -> None:
    """The reader of our output has gone, as `| head` does: there is nobody left to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _conclude(folder: RunFolder, as_json: bool) -> None:
    code = _show(folder, as_json)
    if code:
        raise SystemExit(code)
