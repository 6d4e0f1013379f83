"""Run a suite on each phone as it comes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mobilebench.cli.options import Command, allow_option, results_option, show_run
from mobilebench.devices.checks import DeviceCheck
from mobilebench.errors import InterruptedRunError, MobileBenchError


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
    from mobilebench import api
    from mobilebench.cli.terminal import RunDisplay, errors
    from mobilebench.runs import selection

    api.load_suite(suite)  # a typo is reported now, not when a phone is plugged in
    click.echo("waiting for a phone; Ctrl-C ends", err=True)
    for serial in selection.plugged_in():
        click.echo(f"{serial} is ready", err=True)
        try:
            with RunDisplay(errors()) as display:
                run = api.run(
                    suite,
                    results=results,
                    devices=serial,
                    allow=allow,
                    progress=display,
                    command=["mobilebench", *sys.argv[1:]],
                )
            show_run(run)
        except InterruptedRunError:
            raise
        except MobileBenchError as error:
            click.echo(f"mobilebench: {error}", err=True)
        click.echo("waiting for a phone; Ctrl-C ends", err=True)
