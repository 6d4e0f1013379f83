"""What makers of phones add to Android: power savers of their own, and switches against adb.

None of it is documented; the names and values are those that apps on such phones ask for, and that
their makers' own software uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _Saver:
    """A setting that is a power saver's.

    Attributes:
        table, key: as ``settings get`` wants them.
        name: how the phone calls it.
        on, off: values of which the meaning is known.
    """

    table: str
    key: str
    name: str
    on: tuple[str, ...] = ("1",)
    off: tuple[str, ...] = ("0",)


_SAVERS = (
    _Saver("system", "POWER_SAVE_MODE_OPEN", "Xiaomi's battery saver"),
    _Saver("secure", "EXTREME_POWER_MODE_ENABLE", "Xiaomi's ultra battery saver"),
    _Saver("system", "SmartModeStatus", "Huawei's power saving mode", ("4",), ("0", "1", "2", "3")),
    _Saver("system", "psm_switch", "Samsung's power saving mode"),
    _Saver("system", "ultra_powersaving_mode", "Samsung's maximum power saving mode"),
    _Saver("system", "minimal_battery_use", "Samsung's minimal battery use"),
    _Saver("system", "emergency_mode", "Samsung's emergency mode"),
    _Saver(
        "system",
        "super_powersave_mode_state",
        "the super power saving mode of OPPO, realme, OnePlus",
    ),
    _Saver("system", "power_save_type", "vivo's power saving mode", ("2", "3"), ("0", "1")),
)

_TABLES = tuple(dict.fromkeys(saver.table for saver in _SAVERS))


def _list(table: str) -> str:
    """Shell that prints how many settings a table has, and those of them that are asked for."""
    keys = "|".join(saver.key for saver in _SAVERS if saver.table == table)
    return (
        # Of the user whose screen it is; adb's own is always the first one.
        f"l=$(settings --user current list {table} 2>/dev/null); "
        f'case "$l" in *=*) ;; *) l=$(settings list {table} 2>/dev/null);; esac; '
        f'echo "table {table} $(echo "$l" | grep -c =)"; '
        f"echo \"$l\" | grep -E '^({keys})=' | sed 's/^/{table} /'"
    )


#: One call a table, which costs less than one a setting; a constant, so there is nothing to quote.
SAVERS_SCRIPT = "; ".join(_list(table) for table in _TABLES)


def parse_savers(text: str) -> tuple[str, ...]:
    """A sentence for each saver that is on, or of which a phone says what is not known.

    A setting that a phone does not have is not in its list; a list without any setting is none.
    """
    lists = dict(re.findall(r"^table (\w+) (\d{1,6})$", text, re.MULTILINE))
    missing = [table for table in _TABLES if not int(lists.get(table, "0"))]
    if missing:
        return (f"its settings ({', '.join(missing)}) cannot be read, so a power saver may be on",)
    found = []
    for saver in _SAVERS:
        line = re.search(rf"^{saver.table} {saver.key}=(.*)$", text, re.MULTILINE)
        value = line[1].strip() if line else "null"
        if value in saver.on:
            found.append(f"{saver.name} is on: switch it off")
        elif value not in (*saver.off, "null"):
            found.append(
                f"{saver.name} may be on: its setting {saver.key} reads {value[:40]!r}, which is "
                "not known"
            )
    return tuple(found)


#: Where each maker keeps the switch that lets adb touch the screen and change settings.
_SWITCHES = {
    "xiaomi": "“USB debugging (Security settings)”",
    "redmi": "“USB debugging (Security settings)”",
    "poco": "“USB debugging (Security settings)”",
    "oppo": "“Disable permission monitoring”",
    "realme": "“Disable permission monitoring”",
    "oneplus": "“Disable permission monitoring”",
    "vivo": "“USB debugging (Security settings)”, or “Allow simulated taps over USB”",
    "iqoo": "“USB debugging (Security settings)”, or “Allow simulated taps over USB”",
    "huawei": "“Allow ADB debugging in charge only mode”",
    "honor": "“Allow ADB debugging in charge only mode”",
}


def switch(manufacturer: str) -> str:
    """What the owner can switch on where Android refuses ``input`` or ``settings put`` to adb."""
    name = _SWITCHES.get(manufacturer.strip().lower(), "")
    if name:
        return f"switch on {name} in the developer options, and restart the phone"
    return "do it on the phone itself, or look in its developer options for a switch that lets adb"


def is_refusal(text: str) -> bool:
    """Whether Android did not let the shell do something."""
    return bool(
        re.search(
            r"security ?exception|permission deni|inject_events|(?:operation|is) not allowed"
            r"|requires?:? ?\S{0,80}permission",
            text,
            re.IGNORECASE,
        )
    )
