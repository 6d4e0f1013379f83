"""Run a suite on each phone as it comes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobilebench.cli.options import (
    Command,
    allow_option,
    ensure_lab_is_meant,
    lab_option,
    require_lab,
    results_option,
    show_run,
)
from mobilebench.devices.checks import DeviceCheck
from mobilebench.errors import InterruptedRunError, MobileBenchError

if TYPE_CHECKING:
    from mobilebench.devices.found import Found


@click.command(cls=Command)
@click.argument("suite", metavar="SUITE.toml", type=click.Path(path_type=Path))
@lab_option
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="lab:...",
    help="Wait for devices of a lab, instead of those of this machine; may be repeated.",
)
@allow_option
@results_option
def watch(
    suite: Path,
    lab: str | None,
    devices: tuple[str, ...],
    allow: tuple[DeviceCheck, ...],
    results: Path,
) -> None:
    """Run a suite on each phone as it is plugged in, here or in a lab, until Ctrl-C.

    \b
    Examples:
      mobilebench watch suite.toml
      mobilebench watch suite.toml --results /data/results
      mobilebench watch suite.toml --lab tls://lab:8786 --device 'lab:model=Pixel 9'
    """
    from mobilebench import api
    from mobilebench.cli.terminal import RunDisplay, errors
    from mobilebench.runs import selection

    api.load_suite(suite)  # a typo is reported now, not when a phone is plugged in
    click.echo("waiting for a phone; Ctrl-C ends", err=True)
    for found in selection.plugged_in(_search(lab, devices)):
        click.echo(f"{found.serial} is ready", err=True)
        try:
            with RunDisplay(errors()) as display:
                run = api.run(
                    suite,
                    results=results,
                    devices=found.address if devices else found.serial,
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


def _search(lab: str | None, devices: tuple[str, ...]) -> Callable[[], Sequence[Found]] | None:
    """What looks for the devices of a lab that are waited for; None: those of this machine are."""
    if not devices:
        ensure_lab_is_meant(click.get_current_context())
        return None
    if here := [device for device in devices if not device.startswith("lab:")]:
        raise click.BadParameter(
            f"{here[0]} is of no lab: without --device every phone that is plugged in here is "
            "waited for",
            param_hint="--device",
        )
    from mobilebench.lab.client import comings

    return comings(require_lab(lab, devices), devices)
