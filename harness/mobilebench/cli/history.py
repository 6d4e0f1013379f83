"""One variant over many stored runs."""

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
    "runs", nargs=-1, metavar="[RESULTS_FOLDER|RUN]...", type=click.Path(path_type=Path)
)
@click.option("--model", help="Only this model.")
@click.option("--recipe", help="Only this recipe.")
@click.option("--device", help="Only this device, by its name in the runs.")
@click.option("--runtime", help="Only this runtime.")
@click.option(
    "--metric",
    type=MetricName(),
    default="latency",
    show_default=True,
    help="What to follow.",
)
@html_option
@click.option("--json", "as_json", is_flag=True, help="Print the series as JSON.")
def history(
    runs: tuple[Path, ...],
    model: str | None,
    recipe: str | None,
    device: str | None,
    runtime: str | None,
    metric: str,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show each variant over many stored runs, and where its numbers changed for good.

    Without arguments the runs in ./results are taken. Only runs that can be compared with the
    newest one are in a series; the others are listed with the reason. It is advice, never a
    verdict.

    \b
    Examples:
      mobilebench history
      mobilebench history nightly/ --model lenet --recipe int8 --device R5CT1234ABC
      mobilebench history --metric memory --html history.html
      mobilebench history --metric energy
      mobilebench history results/2026* --json | jq '.series[].steps'
    """
    from mobilebench import api
    from mobilebench.files import write_atomically
    from mobilebench.report.exports import history as history_outputs

    require_folder_of(html)
    found = api.history(
        *runs, metric=metric, model=model, recipe=recipe, device=device, runtime=runtime
    )
    if html is not None:
        write_atomically(html, history_outputs.html(found).encode())
    if as_json:
        echo_json(found.as_json())
        return
    show_page(history_outputs.terminal(found), html)
