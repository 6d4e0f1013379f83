"""A page for whoever looks at a lab with a browser: read only, made anew for each look."""

from __future__ import annotations

import http.server
import ipaddress
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from mobilebench.errors import BadInputError
from mobilebench.lab.listen import host_and_port

#: A page that is no older is shown to others who ask meanwhile: a look asks every host.
_FRESH_SECONDS = 2.0

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Server(http.server.ThreadingHTTPServer):
    """Serves one page at ``/`` until it is shut down.

    Args:
        listen: ``HOST:PORT``; port 0 takes a free one.
        page: makes it, as HTML; what it raises is not caught.

    Raises:
        BadInputError: it cannot listen there.
    """

    daemon_threads = True

    def __init__(self, listen: str, page: Callable[[], str]) -> None:
        where = host_and_port(listen)
        self._page, self._lock = page, threading.Lock()
        self._made, self._content = -_FRESH_SECONDS, b""
        try:
            super().__init__(where, _Handler)
        except OSError as error:
            raise BadInputError(f"cannot listen at {listen}: {error.strerror}") from error
        host, number = self.server_address[:2]
        self.address = f"http://{host!s}:{number}/"
        self.is_local = ipaddress.ip_address(str(host)).is_loopback

    def content(self) -> bytes:
        """The page, made a moment ago at most."""
        with self._lock:
            if time.monotonic() - self._made >= _FRESH_SECONDS:
                self._content = self._page().encode()
                self._made = time.monotonic()
            return self._content

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that went away before it had its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    server_version = "MobileBench"
    sys_version = ""
    timeout = 20.0

    def do_GET(self) -> None:
        """Answers a browser."""
        if self.server.is_local and not _is_local(self.headers.get("Host", "")):
            # Another site's page whose name was made to mean this machine.
            self.send_error(403, "ask for it by the address that it was started with")
        elif self.path.partition("?")[0] != "/":
            self.send_error(404)
        else:
            content = self.server.content()
            self.send_response(200)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: a page that renews itself would say so every few seconds."""


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
