"""The agent as one file, which any Python on any device can run."""

from __future__ import annotations

import hashlib
import io
import py_compile
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.files import write_atomically

#: With this argument the agent ends when its input does: it does not outlive its host.
ATTACHED = "--attached"

_MAIN = b"from mobilebench_agent.__main__ import leave, main\nleave(main())\n"


@dataclass(frozen=True)
class Archive:
    """The agent's file, and its content: a cache that is cleared in the middle costs no trial."""

    path: Path
    content: bytes

    def there(self) -> Path:
        """The file, which is written again if it is gone.

        Raises:
            InvalidRunError: it cannot be; no fault of a model or a device.
        """
        try:
            if not self.path.is_file() or self.path.stat().st_size != len(self.content):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self.path, self.content)
        except OSError as error:
            raise InvalidRunError(
                f"the agent's file {self.path} is gone and cannot be written: {error.strerror}"
            ) from error
        return self.path


def build(folder: Path) -> Path:
    """Writes the agent's zip application to the folder, named by its hash, and returns its path.

    Raises:
        BadInputError: the folder cannot be written.
    """
    return archive(folder).path


def archive(folder: Path) -> Archive:
    """The agent's zip application in a folder, where it is written.

    Raises:
        BadInputError: the folder cannot be written.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("__main__.py"), _MAIN)
        sources = resources.files("mobilebench_agent")
        for source in sorted(sources.iterdir(), key=lambda entry: entry.name):
            if source.name.endswith(".py"):
                code = source.read_bytes()
                name = f"mobilebench_agent/{source.name}"
                # A fixed date, so that the same sources are the same file. Byte code of this
                # Python's saves a fresh process a fifth of its start; any other Python passes it
                # over and takes the source.
                file.writestr(zipfile.ZipInfo(f"{name}c"), _byte_code(code, name))
                file.writestr(zipfile.ZipInfo(name), code)
    content = buffer.getvalue()
    path = folder / f"agent-{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    try:
        if not path.exists() or path.read_bytes() != content:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
    except OSError as error:
        raise BadInputError(
            f"cannot write to the cache {folder}: {error.strerror}; "
            "name a writable folder in MOBILEBENCH_CACHE"
        ) from error
    return Archive(path, content)


def _byte_code(source: bytes, name: str) -> bytes:
    """What a ``.pyc`` file of the source holds, bound to no date."""
    with tempfile.TemporaryDirectory() as folder:
        file, compiled = Path(folder, "source.py"), Path(folder, "source.pyc")
        file.write_bytes(source)
        py_compile.compile(
            str(file),
            str(compiled),
            dfile=name,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return compiled.read_bytes()
