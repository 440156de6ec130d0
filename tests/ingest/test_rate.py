"""How fast history may come: a stage that commits once a second, looked at four times a second, as plain numbers."""

import pytest

from ingest.rate import FASTER, FIRST, LEAST, OVER_S, REST_S_MAX, WAIT_S_MAX, Rate, Waiting

LOOK_S = 0.25


def waited_s(written: float, done: float, seconds: float = 10.0) -> float:
    """After so long in which so many records a second were written, and so many could be done."""
    waiting, at, committed = Waiting(), 0.0, 0
    while at < seconds:
        at += LOOK_S
        if at == int(at):
            committed = int(min(written, done) * at)
        waiting.see(at, int(written * at), committed)
    return waiting.s


def test_a_stage_that_keeps_up_lets_nothing_wait_though_it_commits_once_a_second():
    assert waited_s(written=900, done=1000) <= LOOK_S
    assert waited_s(written=5000, done=9000) <= LOOK_S


def test_where_it_does_not_keep_up_the_wait_is_what_a_record_waits():
    assert waited_s(written=2000, done=1000) == pytest.approx(5.0, abs=OVER_S)


def test_nothing_that_waits_is_no_wait_and_one_that_does_nothing_lets_all_wait():
    assert waited_s(written=0, done=1000) == 0
    assert waited_s(written=1000, done=0) == pytest.approx(10.0, abs=OVER_S + LOOK_S)


def test_history_comes_faster_only_while_it_waits_for_its_rate():
    rate = Rate()
    rate.heed(0.0, held=False)
    assert rate.per_s == FIRST
    rate.heed(0.0, held=True)
    assert rate.per_s == FIRST * FASTER


def test_what_is_loaded_next_does_not_begin_at_the_rate_of_what_cost_less():
    rate = Rate()
    rate.heed(0.0, held=True)
    rate.begin()
    assert rate.per_s == FIRST
    rate.heed(WAIT_S_MAX + 1, held=True)
    rate.begin()
    assert rate.per_s < FIRST


def test_it_rests_and_comes_slower_where_the_wait_grows_and_not_while_that_is_worked_off():
    rate = Rate()
    assert rate.heed(WAIT_S_MAX + 1, held=True) == WAIT_S_MAX + 1
    slower = rate.per_s
    assert slower < FIRST
    assert rate.heed(WAIT_S_MAX + 0.5, held=True) == 0
    assert rate.per_s == slower
    for _ in range(99):
        assert rate.heed(3600.0, held=True) <= REST_S_MAX
    assert rate.per_s == LEAST
