from hypothesis import given
from hypothesis import strategies as st
from mobilebench.report.figures.labels import Place, place_labels

FRAME = (0.0, 0.0, 300.0, 200.0)
POINTS = st.lists(st.builds(Place, st.floats(20, 280), st.floats(20, 180)), min_size=1, max_size=12)


def overlap(a, b, size):
    return abs(a.x - b.x) < size[0] - 1e-9 and abs(a.y - b.y) < size[1] - 1e-9


@given(POINTS)
def test_a_dozen_labels_never_overlap_and_stay_inside(points):
    size = (12.0, 9.0)
    places = place_labels(points, [size] * len(points), FRAME)
    for number, place in enumerate(places):
        assert FRAME[0] <= place.x - 6 <= place.x + 6 <= FRAME[2]
        assert FRAME[1] <= place.y - 4.5 <= place.y + 4.5 <= FRAME[3]
        assert not any(overlap(place, other, size) for other in places[:number])


def test_points_in_one_place_get_labels_around_it():
    places = place_labels([Place(150, 100)] * 10, [(12.0, 9.0)] * 10, FRAME)
    assert len(set(places)) == 10
    assert any(place.far for place in places)
