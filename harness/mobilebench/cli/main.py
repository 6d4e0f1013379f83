"""The ``mobilebench`` command: the group of all commands."""

from __future__ import annotations

import click

from mobilebench.cli.app import app
from mobilebench.cli.calibrate import calibrate
from mobilebench.cli.clean import clean
from mobilebench.cli.compare import compare
from mobilebench.cli.compress import compress
from mobilebench.cli.converters import converters
from mobilebench.cli.devices import devices, doctor
from mobilebench.cli.gate import gate
from mobilebench.cli.history import history
from mobilebench.cli.inspect import inspect
from mobilebench.cli.lab import lab
from mobilebench.cli.options import Group
from mobilebench.cli.query import query
from mobilebench.cli.report import report
from mobilebench.cli.run import run
from mobilebench.cli.search import search
from mobilebench.cli.sensitivity import sensitivity
from mobilebench.cli.watch import watch
from mobilebench.version import __version__


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mobilebench")
def main() -> None:
    """Compress models, run them on real devices, and read which variant to ship.

    \b
    Examples:
      mobilebench run                          the quickstart suite, on this machine
      mobilebench run suite.toml               your own suite
      mobilebench run a.tflite b.tflite        two ready files, side by side
      mobilebench run suite.toml --device all  on every phone that is plugged in
      mobilebench compress model.keras "prune(0.8) → int8" --data data.npz
      mobilebench report results/RUN --format latex
      mobilebench gate --baseline main.tflite --candidate branch.tflite
      mobilebench history                      each variant over all runs in ./results
    """


for _command in (
    run,
    compress,
    search,
    inspect,
    sensitivity,
    report,
    devices,
    doctor,
    clean,
    watch,
    gate,
    calibrate,
    compare,
    history,
    query,
    lab,
    app,
    converters,
):
    main.add_command(_command)
