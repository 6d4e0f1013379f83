"""The Android app: what is shipped, and building it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.commands.options import Command


@click.group()
def app() -> None:
    """Build the Android app, or say what is shipped.

    \b
    Examples:
      mobilebench app show
      mobilebench app build --runtime litert.aar --output litert.apk
    """


@app.command(cls=Command)
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


@app.command(cls=Command)
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
