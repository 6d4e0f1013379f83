"""What there is to measure on, and whether it is fit."""

from __future__ import annotations

from pathlib import Path

import click

from mobilebench.cli.options import Command, device_option, echo_json
from mobilebench.errors import InvalidRunError


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print the devices as JSON.")
def devices(as_json: bool) -> None:
    """Show where models can run: this machine, phones, boards, and devices of plug-ins.

    A device that is not ready is shown with what to do about it.

    \b
    Examples:
      mobilebench devices
      mobilebench devices --json
    """
    from dataclasses import asdict

    from mobilebench import api
    from mobilebench.cli import terminal

    found = api.devices()
    if as_json:
        document = {"devices": [asdict(d) for d in found.devices], "notes": found.notes}
        echo_json(document)
        return
    terminal.output().print(terminal.device_table(found.devices))
    for note in found.notes:
        click.echo(note, err=True)


@click.command(cls=Command)
@device_option
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

    from mobilebench.cli import terminal
    from mobilebench.compress.foreign import environments
    from mobilebench.runs import selection

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
        echo_json(documents)
    else:
        for line in environments.described(environments.status()):
            click.echo(line)
    if not healthy:
        raise SystemExit(InvalidRunError.exit_code)
