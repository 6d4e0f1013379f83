"""Remove what runs leave behind."""

from __future__ import annotations

import click

from mobilebench.cli.options import Command, device_option, echo_json
from mobilebench.errors import BadInputError, InvalidRunError


@click.command(cls=Command)
@click.option("--cache", is_flag=True, help="Clean the cache of this user.")
@device_option
@click.option(
    "--keep",
    default="0",
    show_default=True,
    metavar="SIZE",
    help="Let so much stay in each place, of what was used last: 20GB, 500MB.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def clean(cache: bool, devices: tuple[str, ...], keep: str, as_json: bool) -> None:
    """Remove what runs leave behind: made files in the cache, models and data on devices.

    Results are not touched, nor what cannot be made again: calibrated noise, batteries' profiles,
    the runs you trust, crash logs. What was used in the last hour stays in the cache. A device
    that somebody measures on is left alone.

    \b
    Examples:
      mobilebench clean --cache --keep 20GB
      mobilebench clean --device all
      mobilebench clean --device R5CT1234ABC --keep 500MB
    """
    from dataclasses import asdict

    from mobilebench.runs import cleaning
    from mobilebench.text import size_of

    if not cache and not devices:
        raise BadInputError("say what is to be cleaned: --cache, --device ID or --device all")
    size = size_of(keep)
    done = [cleaning.clean_cache(size)] if cache else []
    done += cleaning.clean_devices(devices, size) if devices else []
    if as_json:
        echo_json([asdict(place) for place in done])
    else:
        for place in done:
            removed = place.removed
            said = place.reason or (
                f"removed {removed.files} file{'' if removed.files == 1 else 's'} "
                f"({removed.size / 1e6:.1f} MB), {removed.left / 1e6:.1f} MB left"
            )
            click.echo(f"{place.name}: {said}")
    if any(place.reason for place in done):
        raise SystemExit(InvalidRunError.exit_code)
