"""Whatever a few people with few e-mails do, a project ends with what is true of them: see lives.py."""

import random
from collections.abc import Callable
from itertools import groupby
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.people import Lapsed
from schemas.records import Origin, encode, headers_of
from schemas.topics import ACCOUNTS, CHECKOUTS, PAGES, PEOPLE, SUBSCRIBERS, WEBHOOKS
from tests.streams.resolve.engagement import Engagement
from tests.streams.resolve.line import STORE, T0, Line, lane_of, place
from tests.streams.resolve.lives import EMAILS, KINDS, Life, Step, faults

STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 2)), min_size=4, max_size=16)


# The first state is handed on from a@x to the home of the account, b@x, where the second one, which goes there at once, may overtake it.
OVERTAKEN: list[Step] = [("register", 0, 1), ("move", 0, 0), ("move", 0, 2), ("subscribe", 0, 0), ("move subscriber", 0, 1)]


# After the deletion the subscriber withdraws and consents anew.
ANEW: list[Step] = [("register", 0, 0), ("subscribe", 0, 0), ("delete", 0, 0), ("consent", 0, 2), ("consent", 0, 0)]


def in_batches(line: Line) -> None:
    while waiting := line.waiting():
        line.run_batch(line.random.choice(waiting))


def in_killed_batches(line: Line) -> None:
    while waiting := line.waiting():
        line.run_killed(line.random.choice(waiting), go_on=False)


def in_true_order(
    life: Life, line: Line, *, work: Callable[[Line], object] = Line.run, of_backfill: Callable[[], bool] = lambda: False
) -> Line:
    """States of one entity that follow each other come together, and all is worked off before another's: only what follows may race."""
    for _, messages in groupby(life.messages, key=place):
        line.tell(*messages, cause=PAGES if of_backfill() else WEBHOOKS)
        work(line)
        life.answer(line)
    return line


def told(line: Line) -> Any:
    """What a project is told: every consent, each purchase once, the properties in the end, every anonymization.

    Without the joins, which say what it holds already, and carts: one that started no profile is told when it comes again
    after an order that did.
    """
    consents = sorted(str(event) for event in line.events("consent"))
    purchases = {str(event) for event in line.events() if event["event_type"] not in ("consent", "cart_update")}
    return consents, purchases, line.properties(), line.bodies("anonymize")


def rows(line: Line, *, times: bool = True) -> dict[tuple[str, str], Any]:
    """All rows, without the places of marks, which are offsets; without `times`, without those of consents too."""
    found = {(topic.name, key): row for topic in (ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PEOPLE) for key, row in line.table(topic.name).items()}
    for row in found.values():
        for mark in row.get("marks", {}).values():
            del mark["place"]
        for person in row.get("persons", {}).values() if not times else ():
            for sent in person.get("consents", {}).values():
                del sent["at_ms"]
    return found


@settings(max_examples=400, deadline=None)
@given(STEPS)
@example(ANEW)
def test_in_true_order_each_fact_is_with_its_person(steps: list[Step]):
    life = Life(steps)
    line = in_true_order(life, Line())
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands), raced=False) == []


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 2**32))
@example(OVERTAKEN, 0)
def test_in_true_order_a_kill_after_any_batch_tells_nothing_else(steps: list[Step], seed: int):
    """Against the same batches without kills: in others, topics would race in another way."""
    plain, killed = (in_true_order(Life(steps), Line(seed), work=work) for work in (in_batches, in_killed_batches))
    assert told(killed) == told(plain)
    assert rows(killed) == rows(plain)
    assert {str(event) for event in killed.events("cart_update")} >= {str(event) for event in plain.events("cart_update")}


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 2**32))
@example(OVERTAKEN, 0)
def test_in_true_order_all_ends_the_same_however_topics_race_and_batches_are_killed(steps: list[Step], seed: int):
    """What may differ is the time of a consent, where a state was overtaken: see docs/guarantees.md 'What does not hold'."""
    plain, killed = in_true_order(Life(steps), Line(seed)), in_true_order(Life(steps), Line(seed), work=in_killed_batches)
    assert killed.consents() == plain.consents()
    assert told(killed)[1:] == told(plain)[1:]
    assert rows(killed, times=False) == rows(plain, times=False)


@settings(max_examples=400, deadline=None)
@given(STEPS, st.integers(0, 2**32), st.booleans())
@example([("register", 0, 1), ("move", 0, 0), ("erase", 0, 0), ("subscribe", 0, 1), ("erase", 0, 0)], 0, False)
def test_raced_each_fact_is_with_its_person_as_far_as_is_promised(steps: list[Step], seed: int, killed: bool):
    life, line, random_ = Life(steps), Line(seed, one_line=False), random.Random(seed)
    line.tell(*life.messages)
    while waiting := line.waiting():
        if killed and random_.random() < 0.3:
            line.run_killed(random_.choice(waiting), go_on=False)
        else:
            line.step()
    life.answer(line)
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands, seed, shuffle=True), raced=True) == []


@settings(max_examples=200, deadline=None)
@given(STEPS)
@example([("register", 0, 0), ("erase", 0, 0), ("order", 0, 0), ("subscribe", 0, 0), ("consent", 0, 2)])  # the order goes with its buyer
def test_of_any_life_subscribers_without_account_or_consent_lapse_and_nobody_else(steps: list[Step]):
    life = Life(steps)
    line = in_true_order(life, Line())

    def lapse_all() -> Engagement:
        fact = Lapsed(store=STORE.store, at_ms=T0 + 1_000_000, days=0)
        for email in EMAILS:
            line.put(PEOPLE.name, lane_of(email), encode(fact), headers_of(fact, Origin("", 1)))
        return Engagement().deliver(line.run().commands)

    ended = lapse_all()
    rejecting = [p for p in ended.live() if p.consents() and p.consents().get("bigcommerce") != "accept"]
    assert [profile.hard for profile in rejecting if "customer_id" not in profile.hard] == []
    assert [fault for fault in faults(life, ended, raced=False) if not fault.endswith("is anonymized")] == []
    done = len(line.commands)
    lapse_all()
    assert len(line.commands) == done


@settings(max_examples=400, deadline=None)
@given(STEPS, st.integers(0, 2**32))
def test_with_a_part_of_it_late_by_way_of_history_each_fact_is_with_its_person_as_far_as_is_promised(steps: list[Step], seed: int):
    life, random_ = Life(steps), random.Random(seed)
    line = in_true_order(life, Line(seed), of_backfill=lambda: random_.random() < 0.5)
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands, seed, shuffle=True, history=line.history), raced=False) == []


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 2**32))
def test_a_range_of_a_topic_that_is_replayed_at_any_time_changes_nothing_of_how_it_ends(steps: list[Step], seed: int):
    """With all that follows from it again; a replay of `people` brings back nobody either."""
    life, line, random_ = Life(steps), Line(seed), random.Random(seed)
    for message in life.messages:
        line.tell(message).run()
        life.answer(line)
        topic = random_.choice([ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PEOPLE])
        there = [record for record in line.log if record.topic == topic.name]
        first, last = sorted(random_.choices(range(len(there) + 1), k=2))
        for record in there[first:last] if random_.random() < 0.4 else ():
            line.put(record.topic, record.key.decode(), record.value or b"", record.headers)
        line.run()
        life.answer(line)
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands), raced=False) == []
