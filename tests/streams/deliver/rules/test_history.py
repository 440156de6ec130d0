"""History beside live commands: refused below an anonymization, in any history with kills; and when its calls may start."""

import random
from collections import Counter
from itertools import pairwise

import msgspec
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.limits import COMMANDS_PER_BATCH_MAX, Pace
from schemas.commands import Command
from schemas.committed import Committed
from streams.deliver.rules import lanes as rules
from streams.deliver.rules.history import History, Turns
from streams.deliver.rules.pending import Pending
from streams.deliver.rules.queue import CALLS_MAX, LINGER_S, Queue
from tests.streams.deliver.rules.test_lanes import LANES, SETTLE_S, World, lanes, pending

NOW_S = 1000.0
SOURCE = ("engagement.history", 0)


def command(number: int, lane: str, kind: str = "customers/events", **ids: str) -> Command:
    data = orjson.dumps({"customer_ids": ids or {"email_id": lane}})
    return Command(store="s.1", number=number, kind=kind, data=msgspec.Raw(data))


def old(number: int, lane: str = "lane", **ids: str) -> Pending:
    return Pending(None, SOURCE, number, lane, command(number, lane, **ids))


def anonymize(offset: int, number: int, lane: str = "lane", **ids: str) -> Pending:
    return Pending(None, SOURCE, offset, lane, command(number, lane, "anonymize", **ids))


def test_the_numbers_of_the_two_topics_interleave_and_each_remembers_its_own() -> None:
    some = lanes()
    history = History(some)
    assert some.add(pending(0, 7)) is not None
    assert history.is_new("lane", 5)
    assert history.is_new("lane", 6)
    assert not history.is_new("lane", 6)
    assert not history.is_new("lane", 5)
    assert some.add(pending(1, 8)) is not None
    assert history.is_new("other", 5)


def test_history_forgets_the_lane_that_was_silent_longest() -> None:
    history = History(lanes(), lanes_max=2)
    assert [history.is_new(lane, 1) for lane in ("a", "b", "a", "c")] == [True, True, False, True]
    assert not history.is_new("a", 1)
    assert history.is_new("b", 1)


def test_below_an_anonymization_that_waits_history_is_refused_and_above_or_beside_it_goes() -> None:
    some = lanes()
    history = History(some)
    assert history.enter(old(1))
    some.add(pending(0, 4))
    some.add(anonymize(1, 5))
    assert not history.enter(old(2))
    assert history.enter(old(2, "other"))
    assert history.enter(old(6))


def test_only_history_of_the_profile_that_is_anonymized_is_refused_for_others_of_its_lane_live() -> None:
    some = lanes()
    history = History(some)
    some.add(anonymize(0, 5, email_id="jane", customer_id="11"))
    assert not history.enter(old(1, email_id="jane"))
    assert not history.enter(old(2, email_id="jane", customer_id="11"))
    assert not history.enter(old(3, customer_id="11", cart_id="c"))
    assert history.enter(old(4, customer_id="12", cart_id="c"))
    some.add(anonymize(1, 8, customer_id="12"))
    assert not history.enter(old(4, customer_id="12", cart_id="c"))
    assert history.enter(old(6, email_id="jane"))


def test_an_anonymization_of_an_earlier_life_refuses_history_too() -> None:
    some = lanes(committed=3)
    history = History(some)
    some.refuse_below("lane", command(5, "lane", "anonymize"))
    some.refuse_below("lane", command(3, "lane", "anonymize"))
    assert not history.enter(old(4))
    assert history.enter(old(5))


def test_one_that_the_lane_itself_committed_refuses_history_too() -> None:
    some = lanes(committed=3, metadata=rules.lane_offsets.write({rules.lane_offsets.short("lane"): 9}))
    assert some.add(anonymize(8, 5)) is None
    assert not History(some).enter(old(4))


def test_an_anonymization_waits_for_the_calls_of_history_under_way_in_its_lane_and_pauses_after_the_last() -> None:
    some = lanes()
    history = History(some)
    one, two, beside = old(1), old(2), old(1, "other")
    assert all(history.enter(command) for command in (one, two, beside))
    border = anonymize(0, 3)
    assert some.add(border) == []
    assert history.leave(one, 200.0) == []
    assert history.leave(two, 201.0) == [border]
    assert border.at_s == 201.0 + SETTLE_S
    assert history.leave(beside, 202.0) == []


def test_a_call_of_history_that_ends_does_not_let_an_anonymization_pass_what_stands_before_it() -> None:
    some = lanes()
    history = History(some)
    early, border = pending(0, 2), anonymize(1, 3)
    some.add(early)
    assert history.enter(old(1))
    some.add(border)
    assert history.leave(old(1), 200.0) == []
    some.done(early, 201.0)
    assert some.committed(Committed(1, text=""), 202.0) == [border]


def test_only_the_lanes_that_were_anonymized_last_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr(rules, "ANONYMIZED_MAX", 2)
    some = lanes()
    history = History(some)
    for lane in ("a", "b", "a", "c"):
        some.refuse_below(lane, command(5, lane, "anonymize"))
    assert [history.enter(old(1, lane)) for lane in "abc"] == [False, True, False]


# Any history


@st.composite
def writes(draw: st.DrawFn) -> list[tuple[str, int, str]]:
    """Lane, number, kind in the order in which resolve writes them; "history" until a lane's first anonymization.

    Some runs stand twice, as after a kill of resolve.
    """
    made: list[tuple[str, int, str]] = []
    numbers: Counter[str] = Counter()
    anonymized: set[str] = set()
    for lane in draw(st.lists(st.sampled_from(LANES), max_size=14)):
        kind = draw(st.sampled_from(["history", "history", "customers/events", "anonymize"]))
        if kind == "history" and lane in anonymized:
            kind = "customers/events"
        if kind == "anonymize":
            anonymized.add(lane)
        numbers[lane] += 1
        made.append((lane, numbers[lane], kind))
        if draw(st.integers(0, 7)) == 0:
            made += made[draw(st.integers(0, len(made) - 1)) :]
    return made


class WorldWithHistory(World):
    """The partition of engagement.history beside the one of engagement.commands; records of both are written as time goes."""

    def __init__(self, made: list[tuple[str, int, str]], chance: random.Random) -> None:
        self.made = made
        self.backlog: list[tuple[str, int]] = []  # the topic
        self.history_committed = 0
        self.history_sent: set[tuple[str, int]] = set()
        self.refused: set[tuple[str, int]] = set()
        self.under_way: list[Pending] = []
        super().__init__([], chance, ahead_max=2)

    def start(self) -> None:
        super().start()
        for sent in self.under_way:  # a kill: it may be applied right now
            self.quiet_s[sent.lane] = self.now_s
        self.history = History(self.lanes)
        for lane, number in self.backlog[: self.history_committed]:
            self.history.is_new(lane, number)
        for lane, number, kind in self.records:
            if kind == "anonymize":
                self.lanes.refuse_below(lane, command(number, lane, kind))
        self.history_next = self.history_committed
        self.waiting: list[Pending] = []
        self.under_way = []
        self.history_done: set[int] = set()

    def step(self) -> None:
        action = self.chance.choice(["write", "take", "begin", "end", "commit history", *[""] * 5])
        if not action:
            super().step()
        elif action == "write":
            self.write()
        elif action == "take":
            self.take()
        elif action == "begin" and self.waiting:
            self.begin(self.chance.choice(self.waiting))
        elif action == "end" and self.under_way:
            self.end(self.chance.choice(self.under_way), done=self.chance.random() < 0.8)
        elif action == "commit history":
            self.commit_history()

    def write(self) -> None:
        if self.made:
            lane, number, kind = self.made.pop(0)
            if kind == "history":
                self.backlog.append((lane, number))
            else:
                self.records.append((lane, number, kind))

    def take(self) -> None:
        if self.history_next < len(self.backlog):
            lane, number = self.backlog[self.history_next]
            if self.history.is_new(lane, number):
                taken = old(number, lane)
                taken.offset = self.history_next
                self.waiting.append(taken)
            else:
                self.history_done.add(self.history_next)
            self.history_next += 1

    def begin(self, command: Pending) -> None:
        self.waiting.remove(command)
        lane, number = command.lane, command.command.number
        if self.history.enter(command):
            assert number >= self.passed.get(lane, 0), "nothing from before an anonymization is sent after it"
            self.under_way.append(command)
        else:
            assert any(name == lane and n > number and kind == "anonymize" for name, n, kind in self.records)
            self.refused.add((lane, number))
            self.history_done.add(command.offset)

    def end(self, command: Pending, *, done: bool) -> None:
        self.under_way.remove(command)
        self.quiet_s[command.lane] = self.now_s
        self.going += self.history.leave(command, self.now_s)
        if done:
            self.history_sent.add((command.lane, command.command.number))
            self.history_done.add(command.offset)
        else:
            self.waiting.append(command)

    def commit_history(self) -> None:
        while self.history_committed in self.history_done:
            self.history_committed += 1

    def send(self, command: Pending) -> None:
        if command.border:
            assert command.lane not in [other.lane for other in self.under_way]
        super().send(command)

    def come_to_rest(self) -> None:
        while self.made:
            self.write()
        for _ in range(2 * len(self.backlog)):
            self.take()
            for command in list(self.waiting):
                self.begin(command)
            for command in list(self.under_way):
                self.end(command, done=True)
        self.commit_history()
        super().come_to_rest()


@settings(max_examples=300, deadline=None)
@given(made=writes(), seed=st.integers(0, 2**32))
def test_in_any_history_with_kills_none_of_it_passes_an_anonymization_and_only_what_is_below_one_is_refused(
    made: list[tuple[str, int, str]], seed: int
) -> None:
    world = WorldWithHistory(list(made), random.Random(seed))
    for _ in range(300):
        world.step()
    world.come_to_rest()
    assert world.sent == {(lane, number) for lane, number, kind in made if kind != "history"}
    assert world.history_sent | world.refused == {(lane, number) for lane, number, kind in made if kind == "history"}
    anonymized = {lane for lane, _, kind in made if kind == "anonymize"}
    assert {lane for lane, _ in world.refused} <= anonymized
    assert world.history_committed == len(world.backlog)


# Whose turn it is


def queue_of(count: int) -> Queue:
    queue = Queue()
    for number in range(count):
        queue.put(old(number, f"lane{number}"))
    return queue


def test_history_goes_at_the_cap_and_no_faster() -> None:
    turns, history, host = Turns(per_s=10), queue_of(100_000), Pace()
    started: list[float] = []
    now_s = NOW_S
    while now_s < NOW_S + 60:
        due_s = turns.start(history, None, "project", host, now_s)
        if due_s <= now_s:
            assert len(history.cut(now_s)) == COMMANDS_PER_BATCH_MAX
            history.answered()
            started.append(now_s)
        else:
            now_s = due_s
    assert len(started) in (600, 601)
    assert all(later - earlier > 0.099 for earlier, later in pairwise(started))


def test_stores_that_share_a_project_share_its_cap_and_another_project_has_its_own() -> None:
    turns, host = Turns(per_s=10), Pace()
    assert turns.start(queue_of(1), None, "shared", host, NOW_S) == NOW_S
    assert turns.start(queue_of(1), None, "shared", host, NOW_S) > NOW_S
    assert turns.start(queue_of(1), None, "other", host, NOW_S) == NOW_S


def test_history_waits_while_a_live_command_could_go_or_all_live_calls_are_under_way_or_fail() -> None:
    live = queue_of(1)
    assert waits(live)
    live.cut(NOW_S)
    assert not waits(live)
    live.put(old(1))  # it waits a moment for others
    assert live.next_s(NOW_S) == NOW_S + LINGER_S
    assert not waits(live)
    assert waits(live, NOW_S + LINGER_S)

    busy = queue_of(CALLS_MAX * COMMANDS_PER_BATCH_MAX)
    for _ in range(CALLS_MAX):
        assert waits(busy)
        busy.next_s(NOW_S)
        busy.cut(NOW_S)
    assert waits(busy)
    busy.answered()
    assert not waits(busy)
    busy.failed(NOW_S, NOW_S)
    assert waits(busy)


def waits(live: Queue, now_s: float = NOW_S) -> bool:
    return Turns(per_s=10).start(queue_of(1), live, "project", Pace(), now_s) > now_s


def test_history_does_not_go_where_the_host_has_no_room_and_that_costs_it_no_turn() -> None:
    turns, host, history = Turns(per_s=10), Pace(per_s=1, burst=1), queue_of(1)
    host.start(NOW_S)
    assert turns.start(history, None, "project", host, NOW_S) == NOW_S + 1
    assert turns.start(history, None, "project", host, NOW_S + 1) == NOW_S + 1
