"""Build a stored run's report anew."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mobilebench.cli.options import Command, echo_json

#: The table formats, as the command line calls them.
_TABLES: dict[str, Literal["md", "csv", "latex"]] = {
    "markdown": "md",
    "csv": "csv",
    "latex": "latex",
}


@click.command(cls=Command)
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", *_TABLES, "json", "terminal"]),
    default="html",
    show_default=True,
    help="html writes all report files anew; the others print the table.",
)
def report(folder: Path, form: str) -> None:
    """Build the report of a run anew, from its folder alone.

    \b
    Examples:
      mobilebench report results/20260131T120000Z-quickstart
      mobilebench report results/20260131T120000Z-quickstart --format markdown | pbcopy
      mobilebench report results/20260131T120000Z-quickstart --format latex > table.tex
    """
    from mobilebench import api
    from mobilebench import report as reports
    from mobilebench.cli.terminal import output

    run = api.open_run(folder)
    if form == "html":
        click.echo(run.report())
        return
    summary = run.summarise()
    if form == "json":
        echo_json(reports.document(summary))
    elif form == "terminal":
        output().print(reports.terminal(summary))
    else:
        click.echo(reports.table(summary, _TABLES[form]), nl=False)
