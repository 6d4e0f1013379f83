"""Run a suite on each phone as it comes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.commands.options import Command, allow_option, results_option, show_run
from harness.device_checks import DeviceCheck
from harness.errors import InterruptedRunError, MobileBenchError


@click.command(cls=Command)
@click.argument("suite", metavar="SUITE.toml", type=click.Path(path_type=Path))
@allow_option
@results_option
def watch(suite: Path, allow: tuple[DeviceCheck, ...], results: Path) -> None:
    """Run a suite on each phone as it is plugged in, until Ctrl-C.

    \b
    Examples:
      mobilebench watch suite.toml
      mobilebench watch suite.toml --results /data/results
    """
    from rich.console import Console

    from harness import run as runs
    from harness import selection
    from harness.suite_choice import choose_suite
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
            show_run(folder)
        except InterruptedRunError:
            raise
        except MobileBenchError as error:
            click.echo(f"mobilebench: {error}", err=True)
        click.echo("waiting for a phone; Ctrl-C ends", err=True)
