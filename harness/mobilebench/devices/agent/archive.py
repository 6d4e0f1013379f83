"""The agent as one file, which any Python on any device can run."""

from __future__ import annotations

import hashlib
import io
import zipfile
from importlib import resources
from pathlib import Path

from mobilebench.errors import BadInputError
from mobilebench.files import write_atomically

_MAIN = b"from mobilebench_agent.__main__ import leave, main\nleave(main())\n"


def build(folder: Path) -> Path:
    """Writes the agent's zip application to the folder, named by its hash, and returns its path.

    Raises:
        BadInputError: the folder cannot be written.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), _MAIN)
        sources = resources.files("mobilebench_agent")
        for source in sorted(sources.iterdir(), key=lambda entry: entry.name):
            if source.name.endswith(".py"):
                # A fixed date, so that the same sources are the same file.
                info = zipfile.ZipInfo(f"mobilebench_agent/{source.name}")
                archive.writestr(info, source.read_bytes())
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
    return path
