"""Stored runs beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.commands.options import (
    Command,
)


@click.command(cls=Command)
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(runs: tuple[Path, ...], as_json: bool) -> None:
    """Show stored runs beside the first one: advice, never a verdict.

    What is not comparable (another device, kind, runtime version or protocol) is refused, with the
    reason; exit code 2 if that is all of it.

    \b
    Examples:
      mobilebench compare results/20260131T120000Z-suite results/20260207T120000Z-suite
    """
    from harness import compare as comparing
    from harness.report import compare_outputs
    from harness.terminal import output

    comparison = comparing.compare(runs)
    if as_json:
        click.echo(json.dumps(comparison.as_json(), indent=2, ensure_ascii=False))
    else:
        output().print(compare_outputs.terminal(comparison))
