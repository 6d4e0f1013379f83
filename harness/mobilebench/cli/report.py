"""Build a stored run's report anew."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from mobilebench.cli.options import Command, echo_json
from mobilebench.errors import BadInputError

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
@click.option("--to", type=click.Choice(["mlflow"]), help="Write the run into a tracking store.")
@click.option(
    "--tracking-uri", metavar="URI", help="Of that store, instead of MLFLOW_TRACKING_URI."
)
@click.option("--experiment", help="Its name there; else the suite's.")
def report(
    folder: Path, form: str, to: str | None, tracking_uri: str | None, experiment: str | None
) -> None:
    """Build the report of a run anew, from its folder alone.

    \b
    Examples:
      mobilebench report results/20260131T120000Z-quickstart
      mobilebench report results/20260131T120000Z-quickstart --format markdown | pbcopy
      mobilebench report results/20260131T120000Z-quickstart --format latex > table.tex
      mobilebench report results/20260131T120000Z-quickstart --to mlflow
    """
    from mobilebench import api
    from mobilebench import report as reports
    from mobilebench.cli.terminal import output

    if to is None and (tracking_uri or experiment):
        raise BadInputError("--tracking-uri and --experiment are of --to mlflow")
    run = api.open_run(folder)
    if to is not None:
        from mobilebench.report.exports.mlflow import send
        from mobilebench.store.folder import RunFolder

        stored = RunFolder.open(run.path).run()
        name = experiment or stored.suite.name
        run.report()
        sent = send(run.summarise(), run.path, stored.name, stored.created, tracking_uri, name)
        if not sent.is_new:
            click.echo(
                f"mobilebench: {stored.name} is there already; nothing was written", err=True
            )
        click.echo(sent.id)
        return
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
