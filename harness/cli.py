"""The ``mobilebench`` command: the group of all commands."""

from __future__ import annotations

import click

from harness import __version__
from harness.commands.app import app
from harness.commands.calibrate import calibrate
from harness.commands.compare import compare
from harness.commands.compress import compress
from harness.commands.devices import devices, doctor
from harness.commands.gate import gate
from harness.commands.history import history
from harness.commands.inspect import inspect
from harness.commands.options import Group
from harness.commands.report import report
from harness.commands.run import run
from harness.commands.sensitivity import sensitivity
from harness.commands.watch import watch


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
    inspect,
    sensitivity,
    report,
    devices,
    doctor,
    watch,
    gate,
    calibrate,
    compare,
    history,
    app,
):
    main.add_command(_command)
