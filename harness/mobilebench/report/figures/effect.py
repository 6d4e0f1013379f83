"""A change with its interval as a small drawing: no change in the middle, worse to the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from mobilebench.analysis.estimates import Estimate

_WIDTH, _HEIGHT = 240, 26


def drawing(
    effect: Estimate, margin: float | None, worse: int = 1, reach: float | None = None
) -> Markup:
    """The drawing as an ``<svg>`` element in the colours of its row; empty without an effect.

    Args:
        effect: the change, in any measure.
        margin: how much worse it may get, in that measure; what is beyond is shaded. None: no
            margin.
        worse: 1 where more is worse, -1 where less is.
        reach: what both ends stand for; None: as far as the effect, its interval and the margin.
    """
    if effect.value is None:
        return Markup("")
    value, ends = worse * effect.value, effect.interval
    low, high = sorted((worse * ends.low, worse * ends.high)) if ends else (value, value)
    reach = reach or max(abs(low), abs(high), margin or 0, 1e-9) * 1.15

    def x(number: float) -> float:
        return _WIDTH / 2 * (1 + number / reach)

    middle = _HEIGHT / 2
    parts = []
    if margin is not None:
        edge = x(margin)
        size = f'width="{_WIDTH - edge:.1f}" height="{_HEIGHT - 4}"'
        parts.append(f'<rect class="beyond" x="{edge:.1f}" y="2" {size}/>')
        parts.append(_line("edge", edge, 2, edge, _HEIGHT - 2))
    parts.append(_line("zero", x(0), 0, x(0), _HEIGHT))
    if ends:
        parts.append(_line("interval", x(low), middle, x(high), middle))
    parts.append(f'<circle cx="{x(value):.1f}" cy="{middle:g}" r="4.5"/>')
    # Numbers only: nothing of a name gets in here.
    return Markup(  # noqa: S704
        f'<svg class="effect" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
    )


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:g}" x2="{x2:.1f}" y2="{y2:g}"/>'
