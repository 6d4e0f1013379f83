"""Inputs that were good once: a seeded mutation of bytes, texts, and JSON documents."""

from __future__ import annotations

import json
from random import Random
from typing import Any

#: What has ended programs before: edges of types, markup, control characters, half characters.
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, -(2**63), 2**64, 10**400, 1e308, -1e-320, 0.1,
    "", " ", "\0", "\n", "../../x", "/etc/passwd", "[/red]", "[link=x]", "\x1b]52;c;eA==\a",
    "\u202e",
    "\ud800", "<script>", "NaN", "-", "é" * 300, "x" * 200_000, [], {}, [[]], [{}], {"": {}},
    [None], {"a": [[[[[[[[[[1]]]]]]]]]]}, "2026-13-45T99:99:99Z", "٣", "1" * 5000,
)  # fmt: skip

_WORDS = (b"\0", b"\n", b"\r\n", b"\xff", b"\x1b[2J", b"-", b"9" * 30, b"{", b"}", b"[" * 40, b": ")


def mutated_bytes(content: bytes, random: Random) -> bytes:
    """With a few bytes overwritten, taken away, doubled, or put in; or cut short."""
    made = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(len(made) + 1)
        length = min(random.choice((1, 2, 4, 8, 64, 1000)), len(made) - at)
        kind = random.randrange(7)
        if kind == 0:
            made[at : at + length] = random.randbytes(length)
        elif kind == 1 and length:
            made[at] ^= 1 << random.randrange(8)
        elif kind == 2:
            del made[at : at + length]
        elif kind == 3:
            made[at:at] = made[at : at + length]
        elif kind == 4:
            made[at:at] = random.choice(_WORDS)
        elif kind == 5:
            number = random.choice((0, 1, -1, 2**31 - 1, -(2**31), random.randrange(200)))
            made[at : at + 4] = (number % 2**32).to_bytes(4, "little")[: max(0, len(made) - at)]
        elif random.randrange(4) == 0:
            del made[at:]
    return bytes(made)


def mutated_document(document: Any, random: Random) -> Any:
    """A JSON document with a few of its parts replaced, taken away, doubled, or renamed."""
    made = json.loads(json.dumps(document))
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        places = list(_places(made))
        if not places:
            return random.choice(HOSTILE)
        holder, key = random.choice(places)
        value = holder[key]
        kind = random.randrange(8)
        if kind <= 3:
            holder[key] = random.choice(HOSTILE)
        elif kind == 4:
            other, name = random.choice(places)
            holder[key] = json.loads(json.dumps(other[name]))
        elif kind == 5:
            del holder[key]
        elif kind == 6 and isinstance(holder, list):
            holder.insert(0, json.loads(json.dumps(value)))
        elif kind == 6:
            holder[str(random.choice(HOSTILE))[:40]] = value
        elif isinstance(value, str) and value:
            at = random.randrange(len(value))
            holder[key] = value[:at] + str(random.choice(HOSTILE))[:200] + value[at:]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            holder[key] = random.choice((-value, value + 1, value * 1000, value // 3, str(value)))
    return made


def _places(document: Any) -> Any:
    """Each part of a document, as what holds it and the key."""
    stack = [document]
    while stack:
        holder = stack.pop()
        keys: Any = ()
        if isinstance(holder, dict):
            keys = list(holder)
        elif isinstance(holder, list):
            keys = range(len(holder))
        for key in keys:
            yield holder, key
            stack.append(holder[key])
