"""``mobilebench converters``: the environments that PyTorch and ONNX models are converted in."""

from __future__ import annotations

import click

# What it can install; named here, so that the help costs no import.
_NAMES = ("torch", "onnx")


@click.command(short_help="Environments that convert PyTorch and ONNX models.")
@click.option(
    "--install",
    "wanted",
    type=click.Choice(_NAMES),
    help="Make one, anew if it is there: downloads gigabytes from the package index.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def converters(wanted: str | None, as_json: bool) -> None:
    """Show the environments that convert PyTorch and ONNX models, or make one.

    \b
    Examples:
      mobilebench converters
      mobilebench converters --install onnx
      mobilebench compress net.onnx float32 dynamic_int8
    """
    from mobilebench.cli.options import echo_json
    from mobilebench.compress.foreign import environments

    if wanted is not None:
        environments.install(environments.CONVERTERS[wanted])
    found = environments.status()
    if as_json:
        echo_json(found)
        return
    for line in environments.described(found):
        click.echo(line)
