import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigcommerce.quota import LEFT, QUOTA, RESET, pace, pace_history, wait_after_429


def headers(left: int, reset_ms: int = 15_000, quota: int = 150) -> dict[str, str]:
    return {
        "x-rate-limit-time-window-ms": "30000",
        "x-rate-limit-time-reset-ms": str(reset_ms),
        "x-rate-limit-requests-quota": str(quota),
        "x-rate-limit-requests-left": str(left),
    }


def test_while_there_is_plenty_nothing_waits():
    assert pace(headers(left=60)) == 0


def test_the_last_third_is_spread_over_what_is_left_of_the_window():
    assert pace(headers(left=30, reset_ms=15_000)) == 0.5


def test_when_nothing_is_left_the_window_is_waited_out():
    assert pace(headers(left=0, reset_ms=9_000)) == 9


def test_an_answer_without_the_headers_says_nothing():
    assert pace({}) is None
    assert pace({"x-rate-limit-requests-left": "0"}) is None


def test_no_header_makes_a_store_wait_for_hours():
    assert pace(headers(left=0, reset_ms=9_999_999_999)) == 60
    assert wait_after_429(headers(left=0, reset_ms=9_999_999_999)) == 60


def test_after_a_429_the_window_is_waited_out_whatever_is_said_to_be_left():
    assert wait_after_429(headers(left=35, reset_ms=12_500)) == 12.5


def test_a_429_without_headers_names_no_wait():
    assert wait_after_429({}) is None


@given(st.integers(0, 1000), st.integers(0, 60_000), st.integers(0, 1000))
def test_calls_at_this_pace_never_spend_more_than_is_left(left: int, reset_ms: int, quota: int):
    gap_s = pace(headers(left, reset_ms, quota))
    assert gap_s == 0 or gap_s * max(left, 1) >= reset_ms / 1000 * 0.999


@given(st.dictionaries(st.sampled_from([RESET, LEFT, QUOTA]), st.text()))
def test_headers_of_any_text_never_break_it(found: dict[str, str]):
    assert (pace(found) or 0) >= 0
    assert (wait_after_429(found) or 0) >= 0


def test_history_leaves_a_third_of_the_quota():
    assert pace_history(headers(left=50, reset_ms=9_000)) == 9
    assert pace_history(headers(left=51, reset_ms=9_000)) == 9
    assert pace_history(headers(left=150, reset_ms=30_000)) == 0.3
    assert pace_history({}) is None


@pytest.mark.parametrize("took_s", [0.01, 0.2, 0.29])
def test_history_uses_nine_tenths_of_what_it_may_however_long_answers_take(took_s: float):
    at_s, calls, quota = 0.0, 0, 150
    while (at_s := at_s + took_s) < 30:
        calls += 1
        at_s += pace_history(headers(quota - calls, int(30_000 - at_s * 1000), quota), took_s) or 0
    assert 0.9 * 100 <= calls <= 100


@given(st.integers(0, 149), st.integers(1, 30_000))
def test_a_live_read_finds_room_whatever_else_was_used(left: int, reset_ms: int):
    """At the pace that it is told, history ends the window without touching the reserve."""
    gap_s = pace_history(headers(left, reset_ms))
    assert gap_s is not None
    assert gap_s >= reset_ms / 1000 / max(1, left - 50) * 0.999
