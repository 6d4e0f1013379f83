"""The page of a lab: what it shows of whom, who may ask for it, and a real browser's look at it."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mobilebench.errors import BadInputError
from mobilebench.lab import web
from mobilebench.lab.client import Asked, LabHost
from mobilebench.lab.web import Server
from mobilebench.report.page.lab import lab_page

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def device(name: str, **facts: Any) -> dict[str, Any]:
    none = {"android": "", "soc": "", "temperature": None, "battery": None, "advice": ""}
    return {"id": name, "serial": name, "model": "Pixel 9", "busy": None, **none, **facts}


def busy(lane: str, minutes: float, done: int) -> dict[str, Any]:
    since = (NOW - timedelta(minutes=minutes)).isoformat()
    return {
        "lane": lane,
        "who": "ann@laptop",
        "run": "20260304T110000Z-vision",
        "since": since,
        "done": done,
        "total": 100,
    }


def ended(error: str) -> dict[str, Any]:
    return {
        "device": "A1",
        "who": "bob@desk",
        "run": "older",
        "error": error,
        "since": "2026-03-04T09:00:00+00:00",
        "ended": "2026-03-04T11:12:00+00:00",
        "done": 7,
        "total": 9,
    }


def lab() -> tuple[LabHost, ...]:
    return (
        LabHost(
            "rack1",
            "1",
            (
                device("A1", temperature=31.4, battery=88, busy=busy("l1", 10, 25)),
                device("B2", advice="too warm: 44 °C"),
                device("C3"),
            ),
            (ended("the cable was pulled"), ended("")),
        ),
        LabHost("rack2", "1", ()),
    )


def shown(*asked: Asked, hosts: tuple[LabHost, ...] | None = None, error: str = "") -> str:
    return lab_page("tls://lab:1", lab() if hosts is None else hosts, asked, NOW, error)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("<body>")[1]))


def test_it_says_who_measures_and_who_waits() -> None:
    page = words(
        shown(
            Asked("rack1/A1", "l1", "ann@laptop", "the one under way"),
            Asked("rack1/A1", "l2", "eve@desk", "second"),
            Asked("rack1/A1", "", "bob@desk", ""),
            # Nobody measures there: this one is being served.
            Asked("rack1/C3", "", "bob@desk", ""),
            Asked("rack7/Z9", "l4", "eve@desk", "fourth"),
        )
    )
    assert "2 hosts, 3 devices" in page
    assert "1 measuring 1 free 1 unfit 2 waiting" in page
    # Ten minutes for a quarter of it.
    assert "25 of 100 trials, about 30 min left" in page
    assert "1. eve@desk: second" in page
    assert "2. bob@desk " in page
    assert "the one under way" not in page
    assert "31 °C, 88 %" in page
    assert "too warm: 44 °C" in page
    assert "Without a device: rack2." in page
    assert "eve@desk waits for rack7/Z9, which is not plugged in, with fourth." in page
    assert "03-04 11:12 rack1/A1 bob@desk older 7 of 9 2.2 h the cable was pulled" in page


def test_little_is_known_of_it() -> None:
    just_begun = LabHost("r", "1", (device("A1", busy=busy("l1", 0.1, 1)),))
    assert "left" not in words(shown(hosts=(just_begun,)))
    assert "No device is plugged in." in words(shown(hosts=()))
    assert "it went away" in words(shown(hosts=(), error="it went away"))
    odd = LabHost("r", "1", (device("A1", busy={**busy("l", 1, 5), "since": "yesterday"}),))
    assert "5 of 100 trials" in words(shown(hosts=(odd,)))


def test_names_are_text() -> None:
    evil = "<script>alert(1)</script>\N{RIGHT-TO-LEFT OVERRIDE}"
    facts = {"model": evil, "soc": evil, "advice": evil, "android": evil}
    page = shown(
        Asked("rack1/C3", "l", evil, evil),
        Asked(evil, "m", evil, evil),
        hosts=(LabHost("rack1", "1", (device("C3", **facts),), ({**ended(evil), "run": evil},)),),
    )
    assert "<script>alert" not in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page


@contextmanager
def served(page: Callable[[], str]) -> Iterator[Server]:
    with Server("127.0.0.1:0", page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server: Server, path: str = "/", host: str | None = None) -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=120)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content, answer.headers


def test_a_browser_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_FRESH_SECONDS", 600.0)
    made: list[int] = []

    def page() -> str:
        made.append(1)
        return shown()

    with served(page) as server:
        status, content, headers = ask(server)
        assert (status, content) == (200, shown())
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert ask(server, "/?again")[0] == 200
        # All who look at the same time share one look at the lab.
        assert len(made) == 1
        assert ask(server, "/etc/passwd")[0] == 404
        assert ask(server, host="localhost:1234")[0] == 200
        # A foreign site whose name was made to mean this machine reads nothing.
        assert ask(server, host="evil.example")[0] == 403


def test_a_browser_that_goes_away_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with Server("127.0.0.1:0", shown) as server:
        for error in (BrokenPipeError("gone"), ConnectionResetError("gone"), ValueError("ours")):
            try:
                raise error
            except (OSError, ValueError):
                server.handle_error(None, ("127.0.0.1", 1))
    said = capsys.readouterr().err
    assert "ValueError: ours" in said
    assert "gone" not in said


@pytest.mark.parametrize("listen", ["8787", "127.0.0.1:x", "127.0.0.1:99999", "203.0.113.7:80"])
def test_where_it_cannot_listen(listen: str) -> None:
    with pytest.raises(BadInputError, match="listen at"):
        Server(listen, shown)


def test_a_real_browser_shows_it(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("there is no Chromium here")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    with served(lambda: shown(Asked("rack1/A1", "l2", "eve@desk", "second"))) as server:
        command = [browser, *options, "--dump-dom", server.address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert 'value="0.250"' in done.stdout
    assert "1. eve@desk: second" in words(done.stdout)
