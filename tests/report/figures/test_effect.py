"""The drawing of an effect and its margin."""

from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.report.figures import effect


def test_a_drawing_has_worse_on_the_right() -> None:
    def place(of: object) -> float:
        return float(str(of).split('cx="')[1].split('"')[0])

    slower_one = effect.drawing(Estimate(0.05, Interval(0.04, 0.06)), 0.03)
    assert 'class="beyond"' in slower_one
    assert place(slower_one) > 120
    assert place(effect.drawing(Estimate(-0.05), 0.01, worse=-1)) > 120
    assert place(effect.drawing(Estimate(0.05), 0.01, worse=-1)) < 120
    assert place(effect.drawing(Estimate(0.0), 0.0)) == 120
    assert not effect.drawing(Estimate.missing("none"), 0.03)
