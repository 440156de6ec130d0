"""Whatever a few people with few e-mails do, a project ends with what is true of them: see lives.py."""

import random
from collections.abc import Callable
from itertools import groupby
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.people import Lapsed
from schemas.records import Origin, encode, headers_of
from schemas.topics import PAGES, PEOPLE, WEBHOOKS
from tests.streams.resolve.engagement import Engagement
from tests.streams.resolve.line import STORE, T0, Line, lane_of, place
from tests.streams.resolve.lives import EMAILS, KINDS, Life, Step, faults

STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 2)), min_size=4, max_size=16)


def in_true_order(life: Life, line: Line, *, killed: bool = False, of_backfill: Callable[[], bool] = lambda: False) -> Line:
    for _, messages in groupby(life.messages, key=place):
        line.tell(*messages, cause=PAGES if of_backfill() else WEBHOOKS)
        while killed and (waiting := [topic for (topic, _), queue in line.queues.items() if queue]):
            line.run_killed(line.random.choice(waiting), go_on=False)
        line.run()
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


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_in_true_order_each_fact_is_with_its_person(steps: list[Step]):
    life = Life(steps)
    line = in_true_order(life, Line())
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands), raced=False) == []


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 2**32))
def test_in_true_order_a_kill_after_any_batch_tells_nothing_else(steps: list[Step], seed: int):
    plain, killed = in_true_order(Life(steps), Line(seed)), in_true_order(Life(steps), Line(seed), killed=True)
    assert told(killed) == told(plain)
    assert {str(event) for event in killed.events("cart_update")} >= {str(event) for event in plain.events("cart_update")}


@settings(max_examples=400, deadline=None)
@given(STEPS, st.integers(0, 2**32), st.booleans())
def test_raced_each_fact_is_with_its_person_as_far_as_is_promised(steps: list[Step], seed: int, killed: bool):
    life, line, random_ = Life(steps), Line(seed, one_line=False), random.Random(seed)
    line.tell(*life.messages)
    while waiting := [topic for (topic, _), queue in line.queues.items() if queue]:
        if killed and random_.random() < 0.3:
            line.run_killed(random_.choice(waiting), go_on=False)
        else:
            line.step()
    life.answer(line)
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands, seed, shuffle=True), raced=True) == []


@settings(max_examples=200, deadline=None)
@given(STEPS)
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
