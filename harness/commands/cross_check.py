"""The upstream benchmark beside ours."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.commands.options import (
    Command,
)


@click.command("cross-check", cls=Command)
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
