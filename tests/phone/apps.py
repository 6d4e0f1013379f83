"""What runs behind ``am start``: an app's core, or an agent in its place, or a liar.

Each is a command that speaks the device protocol on its standard streams. It sees the phone's
``/data`` and runs in a sandbox, as another user than the shell.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable

from mobilebench.devices.agent import archive as agent_archive

from app_build import places
from app_build.desktop import desktop_command
from tests.phone.phone import Phone

App = Callable[[Phone], list[str]]

#: Where the app writes what models answered: below its external files, which the shell reads, too.
_OUTPUTS = "/storage/emulated/0/Android/data/io.mobilebench.agent/files/outputs"


def agent(phone: Phone) -> list[str]:
    """The Linux agent in the app's place: real inference, the same protocol."""
    archive = agent_archive.build(phone.data / "app")
    return [sys.executable, f"/data/app/{archive.name}"]


def desktop(_: Phone) -> list[str]:
    """The app's own core and engine on a JVM, with TensorFlow Lite's library for this machine.

    Raises:
        BuildError: there is no JDK, or its parts cannot be fetched.
    """
    return [*desktop_command(places.cache() / "desktop"), "--outputs", _OUTPUTS]


def of_its_abi(phone: Phone) -> list[str]:
    """The app's own core with the library that the phone's processor would load from the APK.

    An Arm phone's processor is emulated: only its answers count.

    Raises:
        BuildError: there is no JDK, or its parts or the emulator cannot be fetched.
    """
    abi = phone.make.properties["ro.product.cpu.abi"]
    return [*desktop_command(places.cache() / "desktop", abi), "--outputs", _OUTPUTS]


def script(text: str) -> App:
    """An app that does what a few lines of Python say; it shows what the host makes of them."""

    def write(phone: Phone) -> list[str]:
        file = phone.data / "app" / "app.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("import json, os, sys, time\n" + textwrap.dedent(text))
        return [sys.executable, "/data/app/app.py"]

    return write
