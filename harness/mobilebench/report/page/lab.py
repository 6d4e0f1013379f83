"""A lab as a page: who measures what where, who waits, how warm the devices are, what was last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mobilebench.report.template import page

if TYPE_CHECKING:
    from mobilebench.lab.client import Asked, LabHost

#: The page asks for itself again after so many seconds.
RENEWED_SECONDS = 5
#: Ended lanes that are shown, of all hosts.
_MOST_RECENT = 20
#: Before so many trials nothing is said of the time that is left.
_ENOUGH_TRIALS = 3


@dataclass(frozen=True)
class _Row:
    """One device: ``state`` is measuring, free or unfit; ``share`` of its lane is done."""

    name: str
    model: str
    system: str
    heat: str
    state: str
    who: str
    run: str
    progress: str
    share: float | None
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class _Ended:
    """One lane that has ended."""

    ended: str
    device: str
    who: str
    run: str
    trials: str
    took: str
    outcome: str
    is_whole: bool


def lab_page(
    address: str, hosts: Sequence[LabHost], asked: Sequence[Asked], now: datetime, error: str = ""
) -> str:
    """The page.

    Args:
        address: of the lab.
        hosts: with their devices and what ended last.
        asked: what is asked of devices and has not ended, in the order of its turns.
        now: when they were asked.
        error: why they could not be.
    """
    rows = [_row(host, device, asked, now) for host in hosts for device in host.devices]
    here = {row.name for row in rows}
    ended = sorted(
        ((host.name, lane) for host in hosts for lane in host.recent),
        key=lambda entry: str(entry[1]["ended"]),
        reverse=True,
    )
    states = [row.state for row in rows]
    return page(
        "lab.html.jinja",
        address=address,
        error=error,
        renewed=RENEWED_SECONDS,
        when=f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        counts=[
            f"{_counted(len(hosts), 'host')}, {_counted(len(rows), 'device')}",
            *(f"{states.count(s)} {s}" for s in ("measuring", "free", "unfit") if s in states),
            f"{sum(len(row.waiting) for row in rows)} waiting",
        ],
        rows=rows,
        empty=[host.name for host in hosts if not host.devices],
        gone=[wish for wish in asked if wish.device not in here],
        ended=[_ended(name, lane) for name, lane in ended[:_MOST_RECENT]],
    )


def _row(host: LabHost, device: Mapping[str, Any], asked: Sequence[Asked], now: datetime) -> _Row:
    name, busy = f"{host.name}/{device['id']}", device["busy"] or {}
    wishes = [wish for wish in asked if wish.device == name]
    # Where no lane is under way, the first is just being looked at.
    waiting = [wish for wish in wishes if wish.lane != busy["lane"]] if busy else wishes[1:]
    done, total = int(busy.get("done", 0)), int(busy.get("total", 0))
    # A trial that is repeated makes a line of its own.
    share = min(1.0, done / total) if total else None
    heat = []
    if device["temperature"] is not None:
        heat.append(f"{device['temperature']:.0f} °C")
    if device["battery"] is not None:
        heat.append(f"{device['battery']} %")
    systems = [f"Android {device['android']}" if device["android"] else "", device["soc"]]
    return _Row(
        name,
        str(device["model"]),
        ", ".join(str(part) for part in systems if part),
        ", ".join(heat),
        "measuring" if busy else "unfit" if device["advice"] else "free",
        str(busy.get("who", device["advice"])),
        str(busy.get("run", "")),
        _progress(done, total, str(busy["since"]), now) if busy else "",
        share,
        tuple(f"{wish.who}: {wish.run}" if wish.run else wish.who for wish in waiting),
    )


def _progress(done: int, total: int, since: str, now: datetime) -> str:
    text = f"{done} of {total} trials"
    passed = _between(since, now)
    if passed is None or not _ENOUGH_TRIALS <= done < total:
        return text
    return f"{text}, about {_lasting(passed * (total - done) / done)} left"


def _ended(host: str, lane: Mapping[str, Any]) -> _Ended:
    end = _moment(str(lane["ended"]))
    took = _between(str(lane["since"]), end) if end else None
    return _Ended(
        f"{end.astimezone(UTC):%m-%d %H:%M}" if end else "",
        f"{host}/{lane['device']}",
        str(lane["who"]),
        str(lane["run"]),
        f"{lane['done']} of {lane['total']}",
        _lasting(took) if took is not None else "",
        str(lane["error"]) or "whole",
        not lane["error"],
    )


def _between(begin: str, end: datetime) -> timedelta | None:
    moment = _moment(begin)
    return max(end - moment, timedelta()) if moment else None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _lasting(time: timedelta) -> str:
    seconds = time.total_seconds()
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
