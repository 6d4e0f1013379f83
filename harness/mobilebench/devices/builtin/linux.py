"""The kinds ``board`` and ``ssh``: Linux boards, reached over adb or over ssh.

What speaks adb or ssh is imported inside the functions: a suite for this machine needs none of it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from mobilebench.cache import cache_folder
from mobilebench.devices import adb_reach
from mobilebench.devices.base import Device
from mobilebench.devices.found import Found
from mobilebench.devices.kind import DeviceKind
from mobilebench.devices.spec import DeviceSpec

_PYTHON = "python3"


def _open_board(spec: DeviceSpec) -> Device:
    device = adb_reach.opened(spec.address, BOARD.name)
    if spec.binary is not None:
        from mobilebench.devices.linux.benchmark_model import BenchmarkModelBoard

        return BenchmarkModelBoard(spec.name, device, spec.binary, cache_folder(), spec.allow)
    from mobilebench.devices.linux.board import BoardDevice

    allowed = frozenset(spec.allow)
    return BoardDevice(spec.name, device, cache_folder(), spec.python or _PYTHON, allowed=allowed)


def _open_ssh(spec: DeviceSpec) -> Device:
    from mobilebench.devices.linux.ssh_board import SshBoardDevice

    allowed = frozenset(spec.allow)
    return SshBoardDevice(
        spec.name, spec.address, cache_folder(), spec.python or _PYTHON, allowed=allowed
    )


def _locate_ssh(address: str) -> Found | None:
    if not address.startswith("ssh://"):
        return None
    from mobilebench.devices.linux.ssh_board import destination

    destination(address)
    host = urlsplit(address).hostname or ""
    return Found(address, kind=SSH.name, address=address, model=host)


BOARD = DeviceKind(
    "board",
    "a Linux board that speaks adb",
    _open_board,
    discover=adb_reach.connected,
    locate=adb_reach.located,
    takes=frozenset({"address", "python", "binary"}),
)

SSH = DeviceKind(
    "ssh",
    "a Linux machine behind ssh",
    _open_ssh,
    locate=_locate_ssh,
    takes=frozenset({"address", "python"}),
)
