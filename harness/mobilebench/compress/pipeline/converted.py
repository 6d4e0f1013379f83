"""Models of other frameworks, converted once."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence

from mobilebench.compress.foreign.convert import Converted, convert, converter_of
from mobilebench.compress.pipeline.cache import Cache, key_of
from mobilebench.models.sources import Source


def converted(
    source: Source,
    shapes: Mapping[str, Sequence[int]],
    samples: Mapping[str, Sequence[int]],
    cache: Cache,
) -> Converted:
    """See :func:`mobilebench.compress.foreign.convert.convert`.

    A file that is whole by itself is converted once; a Python file may read weights from elsewhere,
    and an ONNX file may have its own beside it, so that nothing says whether they are the same.
    """
    beside = any(source.path.parent.glob(f"{glob.escape(source.path.stem)}*data"))
    if source.path.suffix == ".py" or beside:
        return convert(source, shapes, samples, cache.scratch)
    by = converter_of(source)
    key = key_of({"foreign": source.digest, "by": by, "shapes": shapes, "samples": samples})
    kept = cache.find(key)
    if kept is not None:
        content = cache.path(kept.sha256).read_bytes()
        return Converted(content, by, kept.provenance["error"], kept.warnings)
    made = convert(source, shapes, samples, cache.scratch)
    cache.keep(key, made.content, warnings=made.notes, steps=(), provenance={"error": made.error})
    return made
