"""Build a stored run's report anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from mobilebench.cli.options import Command

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
    from mobilebench import report as reports
    from mobilebench.cli.terminal import output
    from mobilebench.runs import gate, history
    from mobilebench.runs.summaries import summary_of
    from mobilebench.store.folder import RunFolder

    run_folder = RunFolder.open(folder)
    summary = summary_of(run_folder)
    if form == "html":
        verdict, histories = gate.stored(run_folder), history.before(run_folder, summary)
        click.echo(reports.build(run_folder, summary, verdict=verdict, histories=histories))
        return
    if form == "json":
        click.echo(json.dumps(reports.document(summary), indent=2, ensure_ascii=False))
    elif form == "terminal":
        output().print(reports.terminal(summary))
    else:
        click.echo(reports.table(summary, _TABLES[form]), nl=False)
