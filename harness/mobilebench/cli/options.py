"""What the commands share: their errors, their common options, and how a run is shown."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from mobilebench import crash
from mobilebench.devices.checks import DeviceCheck
from mobilebench.errors import BadInputError, MobileBenchError
from mobilebench.metrics import metric_named, registry
from mobilebench.models.tasks import TASKS
from mobilebench.records.runtime import SlowPacking
from mobilebench.text import PLAINER, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mobilebench.api.handle import Run
    from mobilebench.lab.client import Lab

_INTERRUPTED = 130
_LONGEST = 5000


@contextlib.contextmanager
def errors_as_sentences(context: click.Context) -> Iterator[None]:
    """Whatever goes wrong inside ends in one sentence and an exit code, never in a traceback.

    What nobody expected ends with ``mobilebench.crash.EXIT_CODE``: 1 is the FAIL of a gate.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
        raise
    except MobileBenchError as error:
        click.echo(f"mobilebench: {_sentence(error)}", err=True)
        context.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("mobilebench: interrupted", err=True)
        context.exit(_INTERRUPTED)
    except BaseException as error:  # libraries' panics are no Exception
        if isinstance(error, BrokenPipeError) and _reader_has_gone():
            silence()
            context.exit(0)
        crash.report(error)
        context.exit(crash.EXIT_CODE)


def _sentence(error: MobileBenchError) -> str:
    """What an error says, for a terminal: of what it quotes from a file not more than a screen."""
    text = printable(str(error))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class Command(click.Command):
    """A command whose errors are one sentence and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        with errors_as_sentences(context):
            return super().invoke(context)


class Group(click.Group):
    """The group of all commands: their options are read with the same care as they are run."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        """Runs the command line; what a stream's encoding lacks is put plainer."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=PLAINER)
        return super().main(*arguments, **settings)

    def invoke(self, context: click.Context) -> Any:
        """Reads a command's options and runs it."""
        _interrupt_at_hangup()
        with errors_as_sentences(context):
            return super().invoke(context)


def _interrupt_at_hangup() -> None:
    """A job that is cancelled, or whose terminal has gone, ends as by Ctrl-C: it can be resumed."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        # Windows has no SIGHUP; under nohup it is ignored, and stays so.
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def echo_json(document: object) -> None:
    """Prints a document as JSON; by escapes where the stream's encoding has not every character."""
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    click.echo(json.dumps(document, indent=2, ensure_ascii=not unicode))


def cpu_list(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | Literal["big"] | None:
    """An option's callback: the CPUs of ``4,5`` or ``4-7``, as the kernel lists them, or ``big``.

    Raises:
        click.BadParameter: it is no such list.
    """
    if value is None:
        return None
    if value == "big":
        return "big"
    cpus: list[int] = []
    for part in value.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()) or len(first + last) > 8:
            raise click.BadParameter(f"{value!r} is no list of CPUs, as 4,5 or 4-7, and not big")
        cpus += range(int(first), int(last or first) + 1)
    return tuple(cpus)


def input_shapes(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    """An option's callback: the shapes of ``image=1,224,224,3``; without a name, of the only input.

    Raises:
        click.BadParameter: one is no such shape, or an input has two.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for value in values:
        name, _, text = value.rpartition("=")
        numbers = [number.strip() for number in text.strip("[] ").split(",")]
        if not all(n.isdecimal() and len(n) <= 9 and int(n) for n in numbers):
            raise click.BadParameter(f"{value!r} is no shape, as 1,224,224,3 or NAME=1,224,224,3")
        if name in shapes:
            raise click.BadParameter(f"input {name!r} has two shapes" if name else "give one shape")
        shapes[name] = tuple(map(int, numbers))
    return shapes


class MetricName(click.ParamType):  # type: ignore[type-arg]
    """The name of a registered metric; the registry is read only where it is needed."""

    name = "metric"

    def get_metavar(self, *_: Any, **__: Any) -> str:
        """All names; versions of click differ in what they pass."""
        return f"[{'|'.join(registry())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself; click.BadParameter where there is no such metric."""
        try:
            return metric_named(value).name
        except BadInputError as error:
            self.fail(str(error), param, ctx)


data_option = click.option(
    "--data", help="Data of a model: an .npz or .py file, or a set by name, as mnist-subset."
)
task_option = click.option(
    "--task",
    type=click.Choice(TASKS),
    help="What a model is for, by which its answers are scored; else found from its labels and "
    "outputs.",
)
student_option = click.option(
    "--student", help="The smaller model that distill trains: zoo:NAME or a .keras file."
)
teacher_option = click.option(
    "--teacher",
    "teachers",
    multiple=True,
    help="What distill learns from instead of MODEL: zoo:NAME, a .keras or .tflite file; "
    "may be repeated.",
)
shape_option = click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    callback=input_shapes,
    metavar="[NAME=]N,N,...",
    help="The shape of an input that the model leaves open, with the batch, as "
    "image=1,224,224,3; NAME may be left out of a model with one input. May be repeated.",
)
signature_option = click.option(
    "--signature", metavar="NAME", help="Which signature of a model file is run; else its first."
)
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of training and calibration."
)
download_option = click.option(
    "--download",
    "downloads",
    multiple=True,
    type=click.Choice(get_args(SlowPacking)),
    help="Compute the size of each file packed so, too, beside that of gzip: minutes for 100 MB. "
    "May be repeated.",
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Compress N variants side by side, each in a process of its own that needs its own "
    "memory. The files are the same; what recipes begin with alike is made once.",
)
cpus_option = click.option(
    "--cpus",
    callback=cpu_list,
    metavar="LIST",
    help="Keep every trial to these CPUs, as 4,5 or 4-7, or to those of the highest capacity: big.",
)


def _of_lab(context: click.Context, given: tuple[str, ...]) -> tuple[str, ...]:
    """Devices as they are asked for, with the addresses of those that ``lab:...`` means."""
    address = context.params.pop("lab", None)
    of_lab = [value for value in given if value.startswith("lab:")]
    if not of_lab:
        # What is given on the command line was read before this, which is not.
        if not given and not context.params.get("resume"):
            ensure_lab_is_meant(context)
        return given
    lab = require_lab(address, given)
    from mobilebench.lab.client import choose

    return (*(value for value in given if value not in of_lab), *choose(lab, of_lab))


def ensure_lab_is_meant(context: click.Context) -> None:
    """For a command line without devices: it must not name a lab, or others would be measured on.

    A lab that the environment names is there for whoever asks for its devices.

    Raises:
        click.BadParameter: it names one.
    """
    if context.get_parameter_source("lab") is click.core.ParameterSource.COMMANDLINE:
        raise click.BadParameter(
            "none of its devices is asked for: add --device 'lab:*', or leave --lab out",
            param_hint="--lab",
        )


def require_lab(address: str | None, given: Sequence[str]) -> Lab:
    """The lab that devices are of.

    Raises:
        click.BadParameter: it is not named.
    """
    from mobilebench.lab.client import lab_at

    if address is None:
        first = next(value for value in given if value.startswith("lab:"))
        raise click.BadParameter(f"{first} is of a lab: name it by --lab tls://HOST:PORT")
    return lab_at(address)


def _devices_of_lab(
    context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    return _of_lab(context, given)


def _device_of_lab(
    context: click.Context, _parameter: click.Parameter, given: str | None
) -> str | None:
    found = _of_lab(context, () if given is None else (given,))
    if len(found) > 1:
        raise click.BadParameter(
            f"{given} means {len(found)} devices, and one measures: lab:any(1) is one of them"
        )
    return found[0] if found else None


lab_option = click.option(
    "--lab",
    envvar="MOBILEBENCH_LAB",
    is_eager=True,
    metavar="tls://HOST:PORT",
    help="The lab that devices named lab:... are of: lab:*, lab:soc=NAME, lab:model=NAME, "
    "lab:any(NUMBER), lab:HOST/ID.",
)


def device_option(command: Any) -> Any:
    """The options ``--device``, and ``--lab`` that it may be of."""
    device = click.option(
        "--device",
        "devices",
        multiple=True,
        callback=_devices_of_lab,
        metavar="ID",
        help="Where to measure: a serial, adb://HOST:PORT/SERIAL, ssh://USER@HOST, lab:*, all, or "
        "local; may be repeated.",
    )
    return lab_option(device(command))


def one_device_option(command: Any) -> Any:
    """The options ``--device``, of which there is one, and ``--lab`` that it may be of."""
    device = click.option(
        "--device",
        callback=_device_of_lab,
        metavar="ID",
        help="Where to measure: a serial, adb://HOST:PORT/SERIAL, ssh://USER@HOST, lab:any(1), or "
        "local.  [default: local]",
    )
    return lab_option(device(command))


allow_option = click.option(
    "--allow",
    multiple=True,
    type=click.Choice(get_args(DeviceCheck)),
    help="Measure although this check fails; every result says so. May be repeated; "
    "without --device it means --device all.",
)
energy_option = click.option(
    "--energy/--no-energy",
    default=None,
    help="Measure energy per inference, too, in long windows of rest and load; instead of the "
    "suite's choice.",
)
unplugged_option = click.option(
    "--unplugged",
    is_flag=True,
    help="Measure energy on phones that run on their battery, over wireless adb: as --energy, and "
    "a phone that is plugged in is refused.",
)
wait_option = click.option(
    "--wait",
    type=float,
    default=0.0,
    metavar="MINUTES",
    help="Wait so long for a device that somebody else measures on; else it is not measured.",
)
wait_quiet_option = click.option(
    "--wait-quiet",
    type=float,
    default=0.0,
    metavar="MINUTES",
    help="Begin no timed trial while other processes keep the device's CPUs busy, and wait so long "
    "in all for a quiet moment; then measure all the same.",
)
results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The folder in which the run gets its own.",
)
trust_option = click.option(
    "--trust",
    is_flag=True,
    help="With --resume: use the programs and machines that somebody else's run names.",
)
html_option = click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with pictures."
)


@contextlib.contextmanager
def trusting(resume: Path | None, trust: bool) -> Iterator[None]:
    """Goes on with somebody else's run if the user says so; at a terminal the user is asked.

    Raises:
        BadInputError: there is no run to trust.
        UntrustedRunError: the user does not.
    """
    from mobilebench.runs import run as runs
    from mobilebench.runs.own_code import UntrustedRunError

    if trust and resume is None:
        raise BadInputError("--trust is of an earlier run: name it by --resume")
    if resume is not None and not trust:
        try:
            runs.ensure_trusted(resume)
        except UntrustedRunError as error:
            if not (sys.stdin.isatty() and sys.stderr.isatty()):
                raise
            click.echo(f"mobilebench: {_sentence(error)}", err=True)
            trust = click.confirm("Go on with it now?", default=False, err=True)
            if not trust:
                raise
    if trust and resume is not None:
        runs.trust(resume)
    yield


def require_folder_of(*paths: Path | None) -> None:
    """Refuses to begin where a file could not be written in the end.

    Raises:
        BadInputError: the folder of one of them does not exist.
    """
    for path in filter(None, paths):
        if not path.absolute().parent.is_dir():
            raise BadInputError(f"cannot write {path}: its folder does not exist")


def show_page(table: RenderableType, html: Path | None) -> None:
    """Prints what was found over stored runs, and where its page is."""
    from mobilebench.cli.terminal import output

    console = output()
    console.print(table)
    if html is not None:
        console.print(f"Page: {html}", soft_wrap=True, highlight=False)


def show_run(run: Run, as_json: bool = False) -> int:
    """Writes the report, prints the table or the document, and returns the exit code."""
    from mobilebench import report as reports
    from mobilebench.cli.terminal import RunDisplay, errors, output
    from mobilebench.runs.run import exit_code
    from mobilebench.store.folder import RunFolder

    with RunDisplay(errors()) as display:
        display.prepare("report")
        page = run.report()
        summary = run.summarise()
    folder = RunFolder.open(run.path)
    code = exit_code(folder)
    try:
        if as_json:
            document = {"folder": str(run.path), "report": str(page), "exit_code": code}
            document |= reports.document(summary)
            echo_json(document)
        else:
            console = output()
            console.print(reports.terminal(summary))
            console.print(f"Report: {page}", soft_wrap=True, highlight=False)
            if folder.run().missing:
                words = "Once the missing devices are there: mobilebench run --resume"
                console.print(f"{words} {run.path}", soft_wrap=True, highlight=False)
    except BrokenPipeError:
        silence()
    return code


@contextlib.contextmanager
def reporting_all_the_same(resumed: Path | None) -> Iterator[None]:
    """Of a run that cannot go on, writes the report of what there is before the error is shown.

    Args:
        resumed: the run that was to go on, if one was.
    """
    from mobilebench.errors import InterruptedRunError, MobileBenchError

    try:
        yield
    except InterruptedRunError:
        raise
    except MobileBenchError as error:
        if folder := error.folder or resumed:
            # What broke the run may break this, too; its own error is the one to show.
            with contextlib.suppress(MobileBenchError, OSError):
                _report(folder)
        raise


def _report(folder: Path) -> None:
    from mobilebench import api

    run = api.open_run(folder)
    if run.summarise().valid_trials:
        click.echo(f"Report of what there is: {run.report()}", err=True)


def conclude(run: Run, as_json: bool) -> None:
    """Shows a run that has ended, and exits with its code unless all went well."""
    code = show_run(run, as_json)
    if code:
        raise SystemExit(code)


def silence() -> None:
    """The reader of our output has gone, as `| head` does: nobody reads what follows."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reader_has_gone() -> bool:
    """Whether it is our output that nobody reads: other broken pipes are faults."""
    if not hasattr(select, "poll"):  # Windows
        return False
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(events & select.POLLERR for _, events in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        # Without poll (on Windows), or without a stream, it cannot be known.
        return not hasattr(select, "poll")
