"""What goes together in a call, how many calls, and when after a failure."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.limits import BATCH_BYTES_MAX, COMMANDS_PER_BATCH_MAX
from schemas.commands import Command
from streams.deliver.rules.pending import Pending
from streams.deliver.rules.queue import AFTER_S_MAX, BACKOFF_S_MAX, CALLS_MAX, LINGER_S, TRIES_MAX, Queue, backoff_s

NOW_S = 1000.0


def pending(
    number: int = 0, kind: str = "customers/events", size: int = 2, at_s: float = 0.0, tries: int = 0, in_doubt: bool = False
) -> Pending:
    command = Command(store="s.1", number=number, kind=kind, data=msgspec.Raw(b"x" * size))
    return Pending(None, ("topic", 0), number, "lane", command, at_s, tries, in_doubt)


def queue_of(*commands: Pending) -> Queue:
    queue = Queue()
    for command in commands:
        queue.put(command)
    return queue


def test_a_command_that_comes_alone_goes_at_once() -> None:
    queue = queue_of(pending())
    assert queue.next_s(NOW_S) == NOW_S
    assert len(queue.cut(NOW_S)) == 1
    assert queue.next_s(NOW_S) == float("inf")


def test_the_next_call_waits_a_moment_for_others_unless_it_is_full() -> None:
    queue = queue_of(pending())
    queue.next_s(NOW_S)
    queue.cut(NOW_S)
    queue.put(pending())
    assert queue.next_s(NOW_S) == NOW_S + LINGER_S
    for n in range(COMMANDS_PER_BATCH_MAX):
        queue.put(pending(n))
    assert queue.next_s(NOW_S) == NOW_S


def test_a_command_does_not_go_before_its_time() -> None:
    queue = queue_of(pending(at_s=NOW_S + 5))
    assert queue.next_s(NOW_S) == NOW_S + 5
    assert queue.next_s(NOW_S + 5) == NOW_S + 5


def test_a_batch_ends_at_its_bytes_and_one_that_is_larger_goes_by_itself() -> None:
    queue = queue_of(
        pending(0, size=BATCH_BYTES_MAX // 2), pending(1, size=BATCH_BYTES_MAX // 2), pending(2, size=BATCH_BYTES_MAX + 1), pending(3)
    )
    queue.next_s(NOW_S)
    assert [[p.offset for p in queue.cut(NOW_S)] for _ in range(3)] == [[0, 1], [2], [3]]


def test_no_more_calls_at_once_than_the_limit() -> None:
    queue = queue_of(*[pending(n) for n in range(COMMANDS_PER_BATCH_MAX * (CALLS_MAX + 1))])
    for _ in range(CALLS_MAX):
        assert queue.next_s(NOW_S) == NOW_S
        queue.cut(NOW_S)
    assert queue.next_s(NOW_S) == float("inf")
    queue.answered()
    assert queue.next_s(NOW_S) == NOW_S


def test_after_a_failure_one_call_at_a_time_asks_again() -> None:
    queue = queue_of(*[pending(n) for n in range(200)])
    queue.next_s(NOW_S)
    queue.cut(NOW_S)
    queue.failed(NOW_S, NOW_S)
    queue.pause(NOW_S + 2)
    assert queue.next_s(NOW_S) == NOW_S + 2
    assert queue.next_s(NOW_S + 2) == NOW_S + 2
    queue.cut(NOW_S + 2)
    assert queue.next_s(NOW_S + 3) == float("inf")
    queue.answered()
    queue.cut(NOW_S + 3)
    assert queue.next_s(NOW_S + 3) == NOW_S + 3


def test_calls_side_by_side_that_fail_together_are_one_failure() -> None:
    queue = queue_of(*[pending(n) for n in range(COMMANDS_PER_BATCH_MAX * CALLS_MAX)])
    queue.next_s(NOW_S)
    for _ in range(CALLS_MAX):
        queue.cut(NOW_S)
    for n in range(CALLS_MAX):
        queue.failed(NOW_S, NOW_S + 1 + n / 100)
    assert queue.failures == 1
    queue.cut(NOW_S + 2)
    queue.failed(NOW_S + 2, NOW_S + 3)
    assert queue.failures == 2


def test_a_command_is_given_up_when_it_fails_again_and_again_while_others_are_answered() -> None:
    queue, worn, border = queue_of(pending()), pending(tries=TRIES_MAX - 1), pending(kind="anonymize", tries=TRIES_MAX + 9)
    queue.failed(NOW_S, NOW_S)
    assert queue.gives_up(worn)
    assert not queue.gives_up(pending(tries=TRIES_MAX - 2))
    assert not queue.gives_up(border)
    queue.failed(NOW_S + 1, NOW_S + 1)  # nobody is answered
    assert not queue.gives_up(worn)


@pytest.mark.parametrize("command", [pending(9, "anonymize"), pending(9, in_doubt=True), pending(9, tries=6)])
def test_some_go_alone_and_neither_kind_starves(command: Pending) -> None:
    queue = queue_of(pending(0), command, pending(1))
    queue.next_s(NOW_S)
    calls = [[p.offset for p in queue.cut(NOW_S)] for _ in range(2)]
    assert sorted(calls) == [[0, 1], [9]]


def test_what_got_no_answer_goes_with_half_as_many_each_time() -> None:
    sizes = []
    for tries in range(7):
        queue = queue_of(*[pending(n, tries=tries) for n in range(50)])
        queue.next_s(NOW_S)
        sizes.append(len(queue.cut(NOW_S)))
    assert sizes == [50, 25, 12, 6, 3, 1, 1]


def test_the_wait_after_failures_grows_to_a_bound_with_chance_and_never_below_what_was_asked_for() -> None:
    waits = [backoff_s(failures, None, 0.5) for failures in range(1, 40)]
    assert waits == sorted(waits)
    assert waits[-1] <= BACKOFF_S_MAX
    assert backoff_s(1, None, 0.0) < backoff_s(1, None, 0.9)
    assert backoff_s(1, 30.0, 0.0) >= 30.0
    assert backoff_s(1, 1e9, 0.0) <= AFTER_S_MAX + BACKOFF_S_MAX


@given(st.lists(st.tuples(st.sampled_from(["customers/events", "anonymize"]), st.booleans(), st.integers(0, 9)), max_size=200))
def test_every_command_goes_once_and_no_batch_is_too_large(made: list[tuple[str, bool, int]]) -> None:
    queue = queue_of(*[pending(n, kind, tries=tries, in_doubt=doubt) for n, (kind, doubt, tries) in enumerate(made)])
    gone: Counter[int] = Counter()
    while queue.next_s(NOW_S) <= NOW_S + LINGER_S:
        batch = queue.cut(NOW_S)
        queue.answered()
        assert 0 < len(batch) <= max(1, COMMANDS_PER_BATCH_MAX >> max(p.tries for p in batch))
        assert len(batch) == 1 or not any(p.border or p.in_doubt for p in batch)
        gone.update(p.offset for p in batch)
    assert gone == Counter(range(len(made)))
    assert len(queue) == 0
