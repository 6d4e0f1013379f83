"""Files on a device, named by their SHA-256: what is there is what was meant, or it is not used.

A name and a size prove nothing: a stale model of the same size would be measured in its place.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
from pathlib import Path

from mobilebench.devices.adb.client import AdbDevice, AdbError, LinkLostError
from mobilebench.devices.agent.outputs_file import ensure_plain, receiving
from mobilebench.devices.base import TrialError
from mobilebench.devices.sent_files import Removed, clean

#: The shell may write here and apps may read, on every Android since 5.
FOLDER = "/data/local/tmp/mobilebench"

#: A slow phone on a bad cable still takes a megabyte a second.
_SLOWEST = 1 << 20
_LEAST_SECONDS = 60.0


class RemoteStore:
    """The folder on one device. What was seen there is believed until :meth:`forget`."""

    def __init__(self, device: AdbDevice) -> None:
        self._device = device
        self._seen: dict[str, str] = {}

    def forget(self) -> None:
        """After a lost link: whatever is there must be looked at again."""
        self._seen.clear()

    def put(self, file: Path, sha256: str, *, executable: bool = False) -> str:
        """Sees that the file is on the device, and returns its path there.

        Args:
            file: here.
            sha256: of its content.
            executable: whether the device may run it.

        Raises:
            TrialError: ``storage_full``; ``push_failed`` with adb's reason; ``model_corrupt``:
                what arrived is not what was sent.
            LinkLostError, DeadlineError: the device is gone, or too slow.
        """
        if sha256 in self._seen:
            return self._seen[sha256]
        suffix = file.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", file.suffix) else ""
        path = f"{FOLDER}/{sha256}{suffix}"
        limit = _LEAST_SECONDS + file.stat().st_size / _SLOWEST
        if self._hash(path, limit, prepare=True) != sha256:
            self._send(file, sha256, path, limit, "755" if executable else "644")
        self._seen[sha256] = path
        return path

    def discard(self, sha256: str) -> None:
        """Removes a file that was sent, if the device can be reached."""
        self._seen.pop(sha256, None)
        whole = f"{FOLDER}/{sha256}"
        with contextlib.suppress(AdbError):
            self._device.script(f"rm -f {shlex.quote(whole)} {shlex.quote(whole)}.*")

    def clean(self, keep_bytes: int) -> Removed:
        """Removes what was sent; see :class:`mobilebench.devices.sent_files.KeepsFiles`.

        Raises:
            LinkLostError, DeadlineError: the device is gone, or too slow.
        """
        self.forget()
        return clean(lambda text: self._device.script(text).output, FOLDER, keep_bytes)

    def pull(self, path: str, sha256: str, size: int, file: Path, folder: str = "") -> None:
        """Fetches an outputs file, and removes it from the device.

        Args:
            path: there, as the agent reports it.
            sha256: of its content.
            size: in bytes.
            file: here.
            folder: a regular expression of the folder where the agent may write; by default the
                store's own.

        Raises:
            TrialError: ``pull_failed``.
            LinkLostError, DeadlineError: the device is gone, or too slow; the file stays there.
        """
        ensure_plain(path, folder or re.escape(FOLDER))
        limit = _LEAST_SECONDS + size / _SLOWEST
        try:
            with receiving(file, sha256, size) as part:
                self._device.read(path, part.write, limit)
                if part.length < size:
                    raise self._torn(path, size, limit)
        except TrialError:
            self._remove(path)
            raise
        self._remove(path)

    def _torn(self, path: str, size: int, limit: float) -> Exception:
        """Why less of a file came than was reported."""
        done = self._device.script(f"wc -c <{shlex.quote(path)}", seconds=limit)
        if done.code:
            reason = f"the outputs cannot be read on the device: {done.said}"
            if "/Android/data/" in path:
                reason += " (this phone does not let adb's shell read the files of an app)"
            return TrialError("pull_failed", reason)
        if done.output.strip() != str(size):
            return TrialError(
                "pull_failed",
                f"the outputs have {done.output.strip()[:20]} bytes on the device, and {size} were "
                "reported",
            )
        return LinkLostError(f"{self._device.serial}: the outputs were cut off")

    def _send(self, file: Path, sha256: str, path: str, limit: float, mode: str) -> None:
        part = f"{path}.part-{secrets.token_hex(4)}"
        try:
            self._device.push(file, part, limit)
            found = self._hash(part, limit)
            if found != sha256:
                raise TrialError(
                    "model_corrupt", f"{file.name} arrived on the device as another file"
                )
            quoted = f"{shlex.quote(part)} && mv -f {shlex.quote(part)} {shlex.quote(path)}"
            moved = self._device.script(f"chmod {mode} {quoted}")
            if moved.code:
                raise TrialError("push_failed", f"cannot store {path}: {moved.said}")
        except (AdbError, TrialError) as error:
            self._remove(part)
            if type(error) is not AdbError:
                raise
            code = "storage_full" if "No space left" in str(error) else "push_failed"
            raise TrialError(code, f"cannot send {file.name} to the device: {error}") from error
        except BaseException:
            self._remove(part)
            raise

    def _hash(self, path: str, limit: float, prepare: bool = False) -> str:
        script = f"sha256sum -b {shlex.quote(path)} 2>/dev/null"
        if prepare:
            # Of files over a quota the longest unused are removed.
            script = f"touch -c {shlex.quote(path)} 2>/dev/null; {script}"
            # Leftovers of a host that was killed; a younger one may still be under way.
            names = "'(' -name '*.part-*' -o -name 'outputs-*' ')'"
            old = f"find {FOLDER} {names} -mmin +60 -exec rm -f {{}} +"
            script = f"mkdir -p {FOLDER} && chmod 755 {FOLDER}; {old}; {script}"
        words = self._device.script(script, seconds=limit).output.split()
        return words[0] if words else ""

    def _remove(self, part: str) -> None:
        try:
            self._device.shell("rm", "-f", part, seconds=2)
        except AdbError:
            return  # It is gone with the link; adbd removes what was cut off.
