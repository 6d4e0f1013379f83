"""The walls around what runs on a virtual phone: bubblewrap command lines.

What runs inside sees the phone's ``/data`` and no network but its own. adbd of an Android phone
sees Android's commands only, so that a command that no phone has is missing here, too; the app,
and everything on a Linux board, sees this machine's folders read-only.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.phone.system import System

SHELL_UID = 2000
APP_UID = 10212

# Not the machine's: the phone's own, or made anew by bubblewrap.
_NOT_SHARED = ("data", "dev", "proc", "system", "tmp", "apex", "sdcard")


def walls(
    phone: Path,
    system: System,
    *,
    uid: int,
    environment: Mapping[str, str],
    machine: bool,
    storage: int | None = None,
    visible: Sequence[Path] = (),
) -> list[str]:
    """The beginning of a command line; the program comes behind it.

    Args:
        phone: the phone's folder: ``data``, ``system``, ``socket`` and ``boot_id``.
        system: the unpacked system software, visible as ``/apex``.
        uid: as whom it runs, in the phone's eyes.
        environment: all of it.
        machine: whether it sees this machine's folders, or Android's.
        visible: more of this machine, in case it lies below ``/tmp``.
        storage: bytes of ``/data/local/tmp``; None for the phone's folder, without a limit.
    """
    words = [*system.bubblewrap, "--unshare-user", "--unshare-net", "--unshare-ipc"]
    words += ["--unshare-uts", "--unshare-pid", "--die-with-parent", "--hostname", "localhost"]
    words += ["--uid", str(uid), "--gid", str(uid)]
    if machine:
        for entry in sorted(Path("/").iterdir()):
            if entry.name in _NOT_SHARED:
                continue
            if entry.is_symlink():
                words += ["--symlink", str(entry.readlink()), str(entry)]
            elif entry.is_dir():
                words += ["--ro-bind", str(entry), str(entry)]
    else:
        words += ["--ro-bind", str(system.root / "usr/lib"), "/usr/lib"]
        words += ["--ro-bind", str(system.root / "usr/lib64"), "/usr/lib64"]
        words += ["--symlink", "usr/lib64", "/lib64", "--symlink", "system/bin", "/bin"]
        words += ["--symlink", "system/etc", "/etc"]
    words += ["--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]  # noqa: S108 (in the sandbox)
    ours = (Path(__file__).parents[2], Path(sys.prefix), Path(sys.base_prefix))
    shown: list[Path] = []
    for path in (*ours, *visible):
        hidden = path.is_relative_to("/tmp")  # noqa: S108 (by the line above)
        # A second mount inside a first would put a link's target in the link's place.
        if machine and hidden and not any(path.is_relative_to(other) for other in shown):
            words += ["--ro-bind", str(path), str(path)]
            shown.append(path)
    words += ["--ro-bind", str(phone / "boot_id"), "/proc/sys/kernel/random/boot_id"]
    words += ["--ro-bind", str(system.folder), "/apex"]
    words += ["--symlink", "/data/media/0", "/sdcard", "--symlink", "/data/media"]
    words += ["/storage/emulated", "--bind", str(phone / "data"), "/data"]
    words += ["--ro-bind", str(phone / "system"), "/system"]
    if storage is not None:
        words += ["--size", str(storage), "--tmpfs", "/data/local/tmp"]
    words += ["--bind", str(phone / "socket"), "/dev/socket", "--chdir", "/", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return [*words, "--"]
