from hypothesis import given
from hypothesis import strategies as st

from engagement.limits import BURST, Pace


def test_after_a_pause_a_few_requests_start_at_once_then_one_at_a_time() -> None:
    pace = Pace(per_s=10)
    assert [pace.start(100.0) for _ in range(BURST)] == [0.0] * BURST
    wait_s = pace.start(100.0)
    assert 0 < wait_s <= 0.1001
    assert pace.start(100.0 + wait_s + 1e-9) == 0.0


@given(st.lists(st.floats(0, 0.2), min_size=50, max_size=300))
def test_in_no_stretch_of_time_start_more_than_the_rate_and_the_burst(steps: list[float]) -> None:
    pace, now_s = Pace(per_s=50), 1000.0
    started: list[float] = []
    for step in steps:
        now_s += step
        if pace.start(now_s) == 0:
            started.append(now_s)
    for first, begin in enumerate(started):
        for last in range(first, len(started)):
            assert last - first + 1 <= 50 * (started[last] - begin) + BURST + 0.01
