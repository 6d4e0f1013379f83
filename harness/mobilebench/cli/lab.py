"""A lab of many phones: its certificates, its scheduler, its hosts, and who is there."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import click

from mobilebench.cli.options import Command, Group, echo_json
from mobilebench.text import file_name, plain

_certificates_option = click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MOBILEBENCH_LAB_CERTIFICATES",
    help="The lab's certificates, instead of those in the user's configuration folder.",
)


@click.group(cls=Group)
def lab() -> None:
    """Share phones and boards on several hosts: many people, each device one user at a time.

    \b
    Examples:
      mobilebench lab init                        once: certificates
      mobilebench lab serve --listen 0.0.0.0:8786 on one machine
      mobilebench lab join tls://lab:8786         on each host with phones
      mobilebench lab status tls://lab:8786       or page, for browsers
      mobilebench run suite.toml --lab tls://lab:8786 --device 'lab:*'
    """


@lab.command(cls=Command)
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path | None) -> None:
    """Make the certificates of a new lab. Whoever has them can run anything in it.

    \b
    Examples:
      mobilebench lab init
      mobilebench lab init /etc/mobilebench-lab
    """
    from mobilebench.lab import certificates

    target = folder or certificates.default_folder()
    certificates.create(target)
    needed = ", ".join(certificates.NEEDED)
    click.echo(f"{target}: copy {needed} to every host and client of the lab.")
    click.echo(f"Keep {certificates.AUTHORITY_KEY} to yourself.")


@lab.command(cls=Command)
@click.option(
    "--listen", default="127.0.0.1:8786", show_default=True, metavar="HOST:PORT", help="Where."
)
@_certificates_option
def serve(listen: str, certificates: Path | None) -> None:
    """Start the lab's scheduler; Ctrl-C ends it. Lanes go on without it, and are found again.

    \b
    Examples:
      mobilebench lab serve
      mobilebench lab serve --listen 0.0.0.0:8786
    """
    from mobilebench.lab import service
    from mobilebench.lab.certificates import default_folder

    _until_interrupted(service.serve(listen, certificates or default_folder(), click.echo))


@lab.command(cls=Command)
@click.argument("address", metavar="tls://HOST:PORT")
@click.option("--name", help="How the lab calls this host; else its own name.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="ID",
    help="Offer this device; else every phone and board that is plugged in. May be repeated; "
    "local is this machine.",
)
@click.option(
    "--compress",
    "making",
    type=click.IntRange(min=0, max=64),
    default=0,
    metavar="N",
    help="Compress models for clients, too, so many at once. It loads this machine, also while "
    "local measures.",
)
@_certificates_option
def join(
    address: str,
    name: str | None,
    devices: tuple[str, ...],
    making: int,
    certificates: Path | None,
) -> None:
    """Offer the devices of this machine to a lab, each as it is plugged in; Ctrl-C ends it.

    \b
    Examples:
      mobilebench lab join tls://lab.example:8786
      mobilebench lab join tls://lab.example:8786 --name rack2 --device R5CT1234ABC
      mobilebench lab join tls://lab.example:8786 --compress 4
    """
    from mobilebench.lab import service
    from mobilebench.lab.certificates import default_folder

    own = file_name(name or socket.gethostname())
    folder = certificates or default_folder()
    _until_interrupted(service.join(address, folder, own, devices, click.echo, making))


@lab.command(cls=Command)
@click.argument("address", metavar="tls://HOST:PORT")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@_certificates_option
def status(address: str, as_json: bool, certificates: Path | None) -> None:
    """Show a lab's hosts and devices, and who measures what on them.

    \b
    Examples:
      mobilebench lab status tls://lab.example:8786
      mobilebench lab status tls://lab.example:8786 --json
    """
    from mobilebench.cli.terminal import output
    from mobilebench.lab.certificates import default_folder
    from mobilebench.lab.client import Lab

    there = Lab(address, certificates or default_folder())
    try:
        hosts = there.hosts()
    finally:
        there.close()
    if as_json:
        echo_json(
            [
                {
                    "host": at.name,
                    "version": at.version,
                    "devices": list(at.devices),
                    "recent": list(at.recent),
                }
                for at in hosts
            ]
        )
        return
    from rich.table import Table

    table = Table("device", "model", "Android", "SoC", "battery", "who measures", "what", "trials")
    for at in hosts:
        for device in at.devices:
            busy = device["busy"] or {}
            cells = (
                f"{at.name}/{device['id']}",
                device["model"],
                device["android"],
                device["soc"],
                _battery(device),
                busy.get("who", device["advice"] or "free"),
                busy.get("run", ""),
                f"{busy['done']} of {busy['total']}" if busy else "",
            )
            table.add_row(*(plain(str(cell)) for cell in cells))
        if not at.devices:
            table.add_row(plain(at.name), "no device is plugged in")
    if hosts:
        output().print(table)
    else:
        click.echo("no host has joined this lab: mobilebench lab join on each of them")


@lab.command(cls=Command)
@click.argument("address", metavar="tls://HOST:PORT")
@click.option(
    "--listen",
    default="127.0.0.1:8787",
    show_default=True,
    metavar="HOST:PORT",
    help="Where browsers find it. Whoever reaches that address may look.",
)
@_certificates_option
def page(address: str, listen: str, certificates: Path | None) -> None:
    """Show a lab to browsers: who measures what where, who waits, and what ended last.

    \b
    Examples:
      mobilebench lab page tls://lab.example:8786
      mobilebench lab page tls://lab.example:8786 --listen 0.0.0.0:8787
    """
    from datetime import UTC, datetime

    from mobilebench.errors import MobileBenchError
    from mobilebench.lab import web
    from mobilebench.lab.certificates import default_folder
    from mobilebench.lab.client import Lab
    from mobilebench.report.page.lab import lab_page

    there = Lab(address, certificates or default_folder())

    def look() -> str:
        now = datetime.now(UTC)
        try:
            return lab_page(there.address, there.hosts(), there.asked_for(), now)
        except MobileBenchError as error:
            # It may come back: the page goes on asking.
            return lab_page(there.address, (), (), now, str(error))

    try:
        there.hosts()
        with web.Server(listen, look) as server:
            click.echo(f"{server.address} shows the lab at {there.address}; Ctrl-C ends it")
            server.serve_forever()
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    finally:
        there.close()


def _battery(device: Any) -> str:
    parts = []
    if device["battery"] is not None:
        parts.append(f"{device['battery']} %")
    if device["temperature"] is not None:
        parts.append(f"{device['temperature']:.0f} °C")
    return ", ".join(parts)


def _until_interrupted(service: Any) -> None:
    import asyncio  # every command reads this file, and only labs need that

    try:
        asyncio.run(service)
    except KeyboardInterrupt:
        click.echo("ended", err=True)
