"""Times: `now` in seconds from 0; BigCommerce's clock is T0 ms at 0 and shows whole seconds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Origin
from streams.fetch.rules.queue import MISSING_S, SOON_S, Claim, Queue
from streams.fetch.rules.route import SETTLED_MS, STAMP_MS

T0 = 1_700_000_000_000


def date(now: float) -> int:
    return T0 + int(now) * 1000


def webhook(name: str, created: float, *, modifies: bool = True, replay: str = "") -> Claim:
    created_ms = date(created)
    return Claim(name, Origin("", 0, replay), created_ms + SETTLED_MS, created_ms - STAMP_MS if modifies else 0)


def look_at(name: str, at: float) -> Claim:
    return Claim(name, Origin("", 0), date(at))


def records(claims: list[Claim]) -> list[Any]:
    return [claim.record for claim in claims]


def read(queue: Queue, now: float, modified: float) -> list[Any]:
    """The one id that is due is read in no time; the records that are done."""
    [entry] = queue.take(now, 10)
    return records(queue.settle(entry, now, date(now), date(modified)))


def test_many_records_of_one_id_are_one_read():
    queue = Queue()
    for n in range(5):
        queue.add("7", webhook(str(n), created=0), now=10.0)
    assert read(queue, 10.5, modified=0) == ["0", "1", "2", "3", "4"]
    assert queue.take(100, 10) == []


def test_a_read_soon_after_the_webhook_is_repeated_when_the_change_has_settled():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.2)
    assert read(queue, 10.5, modified=10) == []
    assert queue.take(12.9, 10) == []
    assert read(queue, 13.5, modified=10) == ["a"]


def test_of_named_ids_those_that_are_due_are_taken_along():
    queue = Queue()
    for id in ("1", "2", "3"):
        queue.add(id, webhook(id, created=10), now=10.2)
    [first] = queue.take(10.5, 1)
    queue.settle(first, 10.5, date(10.5), date(10))  # due again at 13.5
    assert [entry.id for entry in queue.take_along(["1", "3", "4"], 11.0)] == ["3"]
    assert [entry.id for entry in queue.take_along(["2", "3"], 11.0)] == ["2"]
    assert queue.take(11.0, 10) == []
    assert [entry.id for entry in queue.take(13.5, 10)] == ["1"]


def test_a_state_older_than_its_webhook_is_read_once_more_and_not_for_ever():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.2)
    assert read(queue, 10.5, modified=3) == []
    assert read(queue, 13.5, modified=3) == []
    assert read(queue, 15.5, modified=3) == ["a"]


@pytest.mark.parametrize("stamped", [0, 1, 2])
@pytest.mark.parametrize(("came", "reads"), [(0.3, 2), (1, 2), (4, 1), (60, 1)])
def test_a_webhook_that_is_stamped_some_time_after_its_change_costs_no_more_reads(stamped: float, came: float, reads: int):
    """A read that is early and one when the change has settled; a webhook that comes later needs one."""
    queue, count, now = Queue(), 0, stamped + came
    queue.add("7", webhook("a", created=stamped), now)
    while queue.entries:
        now += queue.due_in(now) + 0.1
        read(queue, now, modified=0)
        count += 1
    assert count <= reads


fractions = st.floats(0, 0.999)


@given(changed=fractions, lag=st.sampled_from([0, 1, 2]), came=st.floats(0, 6), begins=st.lists(st.floats(0, 3), min_size=9, max_size=9))
def test_whole_seconds_and_late_reads_cost_no_third_read(changed: float, lag: float, came: float, begins: list[float]):
    """The change, its webhook, stamped `lag` s later, and each read may be anywhere in a second; all times are cut to whole ones."""
    queue, count, now = Queue(), 0, changed + lag + came
    queue.add("7", webhook("a", created=changed + lag), now)
    while queue.entries:
        now += max(0, queue.due_in(now)) + begins[count]
        read(queue, now, modified=changed)
        count += 1
    assert count <= 2


def test_a_late_read_of_a_state_that_is_too_old_is_not_made_again_at_once():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=20.0)
    assert read(queue, 20.0, modified=3) == []
    assert queue.take(21.9, 10) == []
    assert read(queue, 22.0, modified=3) == ["a"]


def test_an_address_may_change_without_the_account():
    queue = Queue()
    queue.add("7", webhook("a", created=10, modifies=False), now=10.2)
    assert read(queue, 10.5, modified=3) == []
    assert read(queue, 13.5, modified=3) == ["a"]


def test_a_look_at_is_done_by_the_first_read_from_its_time_on():
    queue = Queue()
    queue.add("7", look_at("a", at=10), now=10.2)
    assert read(queue, 10.5, modified=3) == ["a"]


def test_a_state_read_in_the_second_of_its_own_change_is_read_again_though_nothing_older_will_do_too():
    queue = Queue()
    queue.add("7", look_at("a", at=10), now=20.2)
    assert read(queue, 20.5, modified=20) == []
    assert read(queue, 23.5, modified=20) == ["a"]


def test_an_id_is_never_taken_twice_at_a_time():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    queue.add("7", webhook("b", created=10), now=10.1)
    assert queue.take(10.2, 10) == []
    queue.settle(entry, 10.3, date(10.0), date(10))
    assert [e.id for e in queue.take(10.4, 10)] == ["7"]


def test_the_longest_waiting_are_taken_first_and_each_once():
    queue = Queue()
    for id, now in (("7", 12.0), ("5", 11.0), ("6", 11.5), ("5", 13.0)):
        queue.add(id, webhook(id, created=now), now)
    [first] = queue.take(13.0, 1)
    assert (first.id, queue.due_in(13.0)) == ("5", -1.5)
    assert [entry.id for entry in queue.take(13.0, 10)] == ["6", "7"]
    assert queue.due_in(13.0) is None
    queue.release(first)
    assert queue.take(13.0, 10) == [first]


def test_a_record_that_comes_during_a_read_wants_another_unless_that_read_began_well_after_its_change():
    queue = Queue()
    queue.add("7", webhook("a", created=1), now=10.0)
    [entry] = queue.take(10.0, 10)
    queue.add("7", webhook("late copy", created=2), now=10.1)
    queue.add("7", webhook("new", created=10), now=10.1)
    assert records(queue.settle(entry, 10.3, date(10.0), date(2))) == ["a", "late copy"]
    assert read(queue, 10.4, modified=10) == []


def test_a_copy_that_comes_after_a_read_that_shows_it_needs_none():
    queue = Queue()
    queue.add("7", webhook("a", created=1), now=10.0)
    read(queue, 10.0, modified=1)
    assert not queue.add("7", webhook("copy", created=1), now=50.0)
    assert queue.add("7", webhook("older state", created=4), now=50.0)


def test_a_replayed_record_is_read_again():
    queue = Queue()
    queue.add("7", webhook("a", created=1), now=10.0)
    read(queue, 10.0, modified=1)
    assert queue.add("7", webhook("a", created=1, replay="r1"), now=50.0)


def test_an_id_under_steady_change_is_read_at_each_new_record_and_no_record_waits_for_ever():
    queue = Queue()
    done: list[str] = []
    for n in range(100):
        now = 10 + n / 2
        queue.add("7", webhook(f"{n}", created=now), now=now)
        [entry] = queue.take(now, 10)
        done += records(queue.settle(entry, now, date(now), date(now)))
    assert set(done) >= {f"{n}" for n in range(90)}


def test_missing_twice_ten_seconds_apart_is_gone():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    assert not queue.missing(entry, 10.2, date(10.2))
    queue.release(entry)
    assert queue.take(10.1 + SOON_S, 10) == []
    [entry] = queue.take(10.3 + SOON_S, 10)
    assert not queue.missing(entry, 10.4 + SOON_S, date(10.4 + SOON_S))
    queue.release(entry)
    assert queue.take(10.1 + MISSING_S, 10) == []
    [entry] = queue.take(10.3 + MISSING_S, 10)
    assert queue.missing(entry, 20.5, date(20.5))
    assert records(queue.give_up(entry)) == ["a"]


def test_a_new_record_asks_for_a_missing_id_at_once_but_that_does_not_make_it_gone():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    queue.missing(entry, 10.0, date(10.0))
    queue.release(entry)
    queue.add("7", webhook("b", created=12), now=12.0)
    [entry] = queue.take(12.0, 10)
    assert not queue.missing(entry, 12.0, date(12.0))
    queue.release(entry)
    [entry] = queue.take(20.0, 10)
    assert queue.missing(entry, 20.0, date(20.0))


def test_an_id_that_was_missing_and_comes_back_begins_anew():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    queue.missing(entry, 10.0, date(10.0))
    queue.release(entry)
    assert read(queue, 20.0, modified=10) == ["a"]
    assert queue.entries == {}


def test_a_state_that_is_plainly_too_old_is_read_again_soon():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    assert queue.settle(entry, 10.1, date(10), date(5)) == []
    assert queue.take(10.0 + SOON_S, 10) == []
    [entry] = queue.take(10.2 + SOON_S, 10)
    assert queue.settle(entry, 10.3 + SOON_S, date(11), date(10)) == []
    [entry] = queue.take(14.5, 10)
    assert records(queue.settle(entry, 14.6, date(14), date(10))) == ["a"]


def test_only_a_read_that_begins_after_a_look_anew_will_do():
    queue = Queue()
    queue.add("7", webhook("a", created=1), now=10.0)
    [entry] = queue.take(10.0, 10)
    assert queue.add("7", Claim("anew", Origin("", 0), 0, anew=True), now=10.1)
    assert records(queue.settle(entry, 10.2, date(10), date(1))) == ["a"]
    assert read(queue, 14.0, modified=1) == ["anew"]
    assert queue.add("7", Claim("again", Origin("", 0), 0, anew=True), now=20.0)


def test_a_told_deletion_ends_what_waits_and_forgets_the_read_under_way():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    assert records(queue.tell_gone("7", 10.1)) == ["a"]
    assert entry.ended
    assert not queue.add("7", webhook("late", created=9), now=11.0)


def test_what_was_read_along_ends_at_the_first_read_or_the_first_miss():
    queue = Queue()
    queue.add("7", Claim("order", Origin("", 0), 0, on_done=lambda: None), now=10.0)
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    assert not queue.missing(entry, 10.0, date(10.0))
    assert records(queue.end_alongs(entry)) == ["order"]
    queue.tell_gone("7", 10.1)
    queue.add("8", Claim("order", Origin("", 0), 0, on_done=lambda: None), now=11.0)
    assert read(queue, 11.0, modified=11) == ["order"]
    assert queue.was_read("8", since_at=5.0, since_ms=date(11))
    assert not queue.was_read("8", since_at=5.0, since_ms=date(12))


def test_what_was_missing_is_remembered_and_read_for_a_record_that_comes_later():
    queue = Queue()
    queue.add("7", Claim("order", Origin("", 0), 0, on_done=lambda: None), now=10.0)
    [entry] = queue.take(10.0, 10)
    queue.missing(entry, 10.0, date(10))
    queue.end_alongs(entry)
    assert not queue.was_read("7", since_at=5.0, since_ms=date(10))
    assert queue.was_read("7", since_at=5.0, since_ms=date(10), or_missing=True)
    assert queue.add("7", look_at("a", at=10), now=11.0)


def test_a_read_that_was_the_last_word_leaves_the_records_that_came_during_it():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    [entry] = queue.take(10.0, 10)
    queue.add("7", webhook("b", created=10), now=10.1)
    assert records(queue.give_up(entry)) == ["a"]
    assert [e.id for e in queue.take(10.2, 10)] == ["7"]


def test_records_of_a_partition_that_went_are_forgotten():
    queue = Queue()
    queue.add("7", webhook("a", created=10), now=10.0)
    queue.add("7", webhook("b", created=10), now=10.0)
    queue.add("8", webhook("a", created=10), now=10.0)
    queue.forget(lambda claim: claim.record == "a")
    assert [records(entry.claims) for entry in queue.take(10.0, 10)] == [["b"]]


LAG_S = 1.9
Step = tuple[str, int, float]
STEPS = st.tuples(st.sampled_from(["change", "webhook", "read", "told"]), st.integers(0, 1), st.sampled_from([0.1, 0.4, 0.9, 2.0, 4.0]))


@given(st.lists(STEPS, min_size=1, max_size=40), st.booleans(), st.sampled_from([0, 1, 2]))
def test_whatever_comes_every_record_ends_and_the_last_read_shows_the_last_change(steps: list[Step], modifies: bool, stamped: int):
    """Reads lag by a little less than two seconds. A change's webhook comes with it or later, and is stamped `stamped` seconds late.

    Deletions are not read any more.
    """
    queue, now = Queue(), 100.0
    changes: dict[str, list[float]] = {str(n): [1.0] for n in range(2)}
    shown: dict[str, float] = {}
    told: set[str] = set()
    open_records, ended = set(), set()

    def read_due(at: float) -> None:
        for entry in queue.take(at, 10):
            seen = max(change for change in changes[entry.id] if change == 1.0 or change <= at - LAG_S)
            shown[entry.id] = max(seen, shown.get(entry.id, 0))
            ended.update(records(queue.settle(entry, at, date(at), date(seen))))

    for number, (what, n, wait) in enumerate(steps):
        id = str(n)
        now += wait
        if what in ("change", "webhook") and id not in told:
            if what == "change":
                changes[id].append(now)
            open_records.add(number)
            if not queue.add(id, webhook(number, created=changes[id][-1] + stamped, modifies=modifies), now):
                ended.add(number)
        elif what == "told":
            told.add(id)
            ended.update(records(queue.tell_gone(id, now)))
        elif what == "read":
            read_due(now)
    for _ in range(80):
        now += 0.25
        read_due(now)
    assert ended == open_records
    assert queue.entries == {}
    assert all(shown[id] == changes[id][-1] for id in shown if id not in told)
