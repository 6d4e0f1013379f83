"""Files that are attached to a .tflite, such as its labels.

TensorFlow Lite's metadata keep them as a zip archive behind the model, whose entries have their
places counted from the file's beginning. Runtimes do not look at it; apps do, by name.
"""

from __future__ import annotations

import io
import zipfile

#: What is attached may unpack to so much at most.
_LARGEST = 64 * 2**20


def attach(content: bytes, original: bytes) -> bytes:
    """A file with what was attached to the one that it was made from."""
    if not zipfile.is_zipfile(io.BytesIO(original)) or zipfile.is_zipfile(io.BytesIO(content)):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(original)) as source:
            entries = source.infolist()
            if sum(entry.file_size for entry in entries) > _LARGEST:
                return content
            target = io.BytesIO(content)
            with zipfile.ZipFile(target, "a") as archive:
                for entry in entries:
                    archive.writestr(entry, source.read(entry))
    except Exception:  # what looks like an archive and is none, or has a password
        return content
    return target.getvalue()


def names(content: bytes) -> tuple[str, ...]:
    """The names of the attached files."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return tuple(archive.namelist())
    except Exception:  # there are none
        return ()
