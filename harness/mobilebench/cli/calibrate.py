"""How noisy a device is."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mobilebench.cli.options import (
    Command,
    allow_option,
    cpus_option,
    device_option,
    echo_json,
    energy_option,
    results_option,
    shape_option,
    signature_option,
    unplugged_option,
    wait_option,
    wait_quiet_option,
)
from mobilebench.devices.checks import DeviceCheck


@click.command(cls=Command)
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@shape_option
@signature_option
@click.option("--seconds", type=float, help="Seconds measured per trial.")
@click.option("--threads", type=int, help="Threads.")
@cpus_option
@device_option
@allow_option
@energy_option
@unplugged_option
@wait_option
@wait_quiet_option
@results_option
@click.option("--json", "as_json", is_flag=True, help="Print the noise as JSON.")
def calibrate(
    model: Path,
    shapes: dict[str, tuple[int, ...]],
    signature: str | None,
    seconds: float | None,
    threads: int | None,
    cpus: tuple[int, ...] | None,
    devices: tuple[str, ...],
    allow: tuple[DeviceCheck, ...],
    energy: bool | None,
    unplugged: bool,
    wait: float,
    wait_quiet: float,
    results: Path,
    as_json: bool,
) -> None:
    """Measure how much a model differs from itself here: the noise below which no gate judges.

    It is kept for this device, runtime, threads, CPUs and file; later gates with MODEL as their
    baseline take twice the noise as their margin where that is wider than the policy's.

    \b
    Examples:
      mobilebench calibrate main.tflite
      mobilebench calibrate main.tflite --device R5CT1234ABC
      mobilebench calibrate main.tflite --threads 2 --cpus 4,5
    """
    from dataclasses import asdict

    from mobilebench import api
    from mobilebench.cli.terminal import RunDisplay, errors
    from mobilebench.runs.calibrate import sentence

    with RunDisplay(errors()) as display:
        display.prepare()
        found = api.calibrate(
            model,
            results=results,
            devices=devices,
            shapes=shapes,
            signature=signature,
            seconds=seconds,
            threads=threads,
            cpus=cpus,
            energy=energy,
            allow=allow,
            unplugged=unplugged,
            wait_minutes=wait,
            wait_quiet_minutes=wait_quiet,
            progress=display,
            command=["mobilebench", *sys.argv[1:]],
        )
    if as_json:
        document = {"folder": str(found.run.path), "noise": [asdict(n) for n in found.noise]}
        echo_json(document)
        return
    for noise in found.noise:
        click.echo(sentence(noise))
