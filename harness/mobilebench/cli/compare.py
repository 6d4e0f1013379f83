"""Stored runs beside each other."""

from __future__ import annotations

from pathlib import Path

import click

from mobilebench.cli.options import (
    Command,
    MetricName,
    echo_json,
    html_option,
    require_folder_of,
    show_page,
)


@click.command(cls=Command)
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path)
)
@click.option(
    "--metric",
    type=MetricName(),
    default="latency",
    show_default=True,
    help="What to compare by.",
)
@html_option
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(runs: tuple[Path, ...], metric: str, html: Path | None, as_json: bool) -> None:
    """Show stored runs beside the first one: advice, never a verdict.

    What is not comparable (another device, kind, runtime version or protocol) is refused, with the
    reason; exit code 2 if that is all of it.

    \b
    Examples:
      mobilebench compare results/20260131T120000Z-suite results/20260207T120000Z-suite
      mobilebench compare results/RUN1 results/RUN2 --html compare.html
      mobilebench compare results/RUN1 results/RUN2 --metric memory
    """
    from mobilebench import api
    from mobilebench.files import write_atomically
    from mobilebench.report.exports import compare as compare_outputs

    require_folder_of(html)
    comparison = api.compare(*runs, metric=metric)
    if html is not None:
        write_atomically(html, compare_outputs.html(comparison).encode())
    if as_json:
        echo_json(comparison.as_json())
        return
    show_page(compare_outputs.terminal(comparison), html)
