"""SQL over many stored runs."""

from __future__ import annotations

import csv
import datetime
import math
import sys
from collections.abc import Sequence
from typing import Any

import click

from mobilebench.cli.options import Command, echo_json
from mobilebench.text import plain


@click.command(cls=Command)
@click.argument("sql", metavar='"SELECT …"')
@click.argument("runs", nargs=-1, metavar="[RESULTS_FOLDER|RUN|URL]...")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    metavar="N",
    help="So many rows at most.",
)
def query(sql: str, runs: tuple[str, ...], as_json: bool, as_csv: bool, limit: int) -> None:
    """Ask stored runs by SQL (DuckDB's dialect); nothing can be changed by it.

    Without folders the runs in ./results are taken; finished runs may also be in a bucket (extra
    s3), with credentials from the environment. There are two tables. results has a row for
    each variant, place and metric of each run: run, created, folder, suite, model, recipe, device,
    runtime, is_baseline, virtual_device, artifact_sha256, metric, unit, value, low, high,
    confidence, reason. samples has a row for each timed inference: run, folder, model, recipe,
    device, runtime, trial, block, index, ns.

    \b
    Examples:
      mobilebench query "SELECT metric, count(*) FROM results GROUP BY 1"
      mobilebench query "SELECT created, value / 1e6 AS ms FROM results
        WHERE metric = 'latency' AND recipe = 'int8' ORDER BY created" nightly/
      mobilebench query "SELECT run, value FROM results WHERE metric = 'size'" "s3://bucket/results/*"
      mobilebench query "SELECT recipe, quantile_cont(ns, 0.99) FROM samples GROUP BY 1" --csv
    """
    from mobilebench.runs.query import query as ask

    found = ask(runs or ("results",), sql, limit)
    for note in found.notes:
        click.echo(f"mobilebench: {plain(note)}", err=True)
    if found.cut:
        click.echo(f"mobilebench: these are the first {len(found.rows)} rows", err=True)
    if as_json:
        columns = _distinct(found.columns)
        echo_json([dict(zip(columns, map(_portable, row), strict=True)) for row in found.rows])
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(found.columns)
        writer.writerows(found.rows)
    else:
        _show(found.columns, found.rows)


def _show(columns: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    from mobilebench.cli.terminal import output

    table = Table()
    for place, name in enumerate(columns):
        numbers = all(isinstance(row[place], int | float | None) for row in rows)
        table.add_column(Text(plain(name)), justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    output().print(table)


def _cell(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:.6g}" if isinstance(value, float) else plain(value)


def _distinct(columns: Sequence[str]) -> list[str]:
    """Names that differ: the second ``value`` is ``value_2``."""
    found: list[str] = []
    for column in columns:
        name, number = column, 1
        while name in found or (number > 1 and name in columns):
            number += 1
            name = f"{column}_{number}"
        found.append(name)
    return found


def _portable(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no such number
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return value if is_plain else str(value)
