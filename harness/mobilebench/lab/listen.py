"""Where a program of a lab listens."""

from __future__ import annotations

from mobilebench.errors import BadInputError


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT`` in its two parts.

    Raises:
        BadInputError: it is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadInputError(f"{text!r} is no HOST:PORT to listen at")
    return host, int(port)
