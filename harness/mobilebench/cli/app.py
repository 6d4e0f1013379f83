"""The Android app that travels with this version."""

from __future__ import annotations

import click

from mobilebench.cli.options import Command, echo_json


@click.group()
def app() -> None:
    """Say which Android app travels with this version.

    To build it with another runtime, run this in a checkout of MobileBench:
    python android_app/build.py --runtime AAR --output APK

    \b
    Examples:
      mobilebench app show
      mobilebench app show --json
    """


@app.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(as_json: bool) -> None:
    """Say which app travels with this version: runtime, processors, hash."""
    from mobilebench.devices.android import shipped_apk as android_apk

    facts = android_apk.info().as_json()
    if as_json:
        echo_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:<20}{value}")
