"""What the commands share: their errors, their common options, and how a run is shown."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from harness.device_checks import DeviceCheck
from harness.errors import MobileBenchError

if TYPE_CHECKING:
    from harness.store import RunFolder

_INTERRUPTED = 130


class Command(click.Command):
    """A command whose errors are one sentence and an exit code, never a traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the command; whatever goes wrong ends in a sentence and an exit code."""
        try:
            return super().invoke(context)
        except MobileBenchError as error:
            click.echo(f"mobilebench: {error}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("mobilebench: interrupted", err=True)
            context.exit(_INTERRUPTED)
        except BrokenPipeError:
            silence()
            context.exit(0)


def cpu_list(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """An option's callback: the CPUs of ``4,5`` or ``4-7``, as the kernel lists them.

    Raises:
        click.BadParameter: it is no such list.
    """
    if value is None:
        return None
    cpus: list[int] = []
    for part in value.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()) or len(first + last) > 8:
            raise click.BadParameter(f"{value!r} is no list of CPUs, as 4,5 or 4-7")
        cpus += range(int(first), int(last or first) + 1)
    return tuple(cpus)


device_option = click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID",
    help="Where to measure: a serial, adb://HOST:PORT/SERIAL, all, or local; may be repeated.",
)
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
results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The folder in which the run gets its own.",
)


def show_run(folder: RunFolder, as_json: bool = False) -> int:
    """Writes the report, prints the table or the document, and returns the exit code."""
    from harness import history
    from harness import report as reports
    from harness.run import exit_code
    from harness.terminal import output

    summary = reports.summary_of(folder)
    page = reports.build(folder, summary, histories=history.before(folder, summary))
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
        silence()
    return code


def conclude(folder: RunFolder, as_json: bool) -> None:
    """Shows a run that has ended, and exits with its code unless all went well."""
    code = show_run(folder, as_json)
    if code:
        raise SystemExit(code)


def silence() -> None:
    """The reader of our output has gone, as `| head` does: there is nobody left to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
