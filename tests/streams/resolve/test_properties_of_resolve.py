"""For any order, doubling and dropping of superseded records, and a crash anywhere, resolve ends the same."""

import random
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.entities import CartGone, CartState, CustomerState, EntityState
from schemas.records import Message
from tests.streams.resolve.line import Line, cart, cart_gone, customer, customer_gone, lane_of, order, subscriber, subscriber_gone

CONSENTS = [None, [], ["marketing_newsletter"], ["marketing_newsletter", "abandoned_cart"]]
STATUSES = [0, 1, 7, 11, 2, 10, 4, 5]


@st.composite
def histories(draw: st.DrawFn, *, changing: bool = False) -> list[Message]:
    """What fetch could read of a small shop, in the order of its life: entities of a few people, each with some versions.

    `changing`: accounts that change the e-mail and that are deleted too, where the order of what is told matters.
    """
    told: list[Message] = []
    for id in range(1, draw(st.integers(1, 3)) + 1):
        email = f"person{id}@example.com"
        phones, consents = draw(st.lists(st.sampled_from("0123"), max_size=3)), draw(st.lists(st.sampled_from(CONSENTS[1:]), max_size=3))
        told += [customer(id, email, at=at * 10, phone=phone) for at, phone in enumerate(phones)]
        told += [subscriber(id, email, consent, at=at * 10) for at, consent in enumerate(consents)]
        if draw(st.booleans()):
            told.append(subscriber_gone(id, at=50))
        account = draw(st.sampled_from([0, id]))
        name = f"c-{id}"
        quantities = draw(st.lists(st.dictionaries(st.sampled_from(["7", "8", "9"]), st.integers(1, 3), max_size=3), max_size=4))
        for version, lines in enumerate(quantities, 1):
            told.append(cart(name, lines, version=version, at=version, customer=account, email=email if version > 1 else ""))
        ending = draw(st.sampled_from(["", "deleted", "bought"]))
        if ending == "deleted":
            told.append(cart_gone(name, at=20))
        if ending == "bought":
            for at, status in enumerate(draw(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=4))):
                told.append(order(100 + id, status, at=30 + at * 10, created=30, customer=account, email=email, cart_id=name))
            told.append(cart_gone(name, at=31, converted=True))
        if account and not any(isinstance(m, CustomerState) and m.id == str(id) for m in told):
            told.append(customer(id, email))
        if changing and draw(st.booleans()):
            told.append(customer(id, draw(st.sampled_from([f"moved{id}@example.com", "person1@example.com"])), at=60))
            told.append(order(200 + id, at=70, created=70, email=email, cart_id=None))
        if changing and draw(st.booleans()):
            told.append(customer_gone(id, at=80))
    return told


def deliveries(history: list[Message], seed: int) -> list[Message]:
    """Another way that the same history may reach us: shuffled, some doubled, some superseded states never read."""
    random_ = random.Random(seed)
    last = {(type(m), getattr(m, "id", "")): m for m in history}
    kept = [m for m in history if not isinstance(m, EntityState) or last[type(m), m.id] is m or random_.random() < 0.7]
    kept += random_.sample(kept, len(kept) // 3)
    random_.shuffle(kept)
    return kept


def final(history: list[Message], name: str) -> dict[str, dict[str, Any]]:
    """The last state of each entity of a kind, by its id."""
    return {m.id: orjson.loads(memoryview(m.body)) for m in history if isinstance(m, EntityState) and m.name == name}


def people(line: Line) -> dict[str, Any]:
    """What rows of people say of accounts and live subscriptions, and what their profiles were last told."""

    def told(person: dict[str, Any]) -> dict[str, Any]:
        accepted = sorted(category for category, sent in person.get("consents", {}).items() if sent["action"] == "accept")
        return {"accepted": accepted, **{name: person.get(name) for name in ("email", "digest", "names")}}

    return {
        key: {
            "persons": {person: told(found) for person, found in row["persons"].items()},
            "accounts": {id: (a["created_ms"], a["here"], a["person"]) for id, a in row.get("accounts", {}).items()},
            **{name: row.get(name) for name in ("email", "bears", "subscriptions", "holders", "gone", "anonymized_ms")},
        }
        for key, row in line.table("people").items()
        if row.get("accounts") or row.get("subscriptions")
    }


def assert_sent_on_change_only(line: Line, history: list[Message]) -> None:
    """Consents of each profile and category take turns, at most one for each version of a subscriber."""
    versions = sum(m.name in ("subscriber-state", "subscriber-gone") for m in history)
    sent: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for event in line.events("consent"):
        ids = event["customer_ids"]
        of = ids.get("email_id") or ids["customer_id"], event["properties"]["category"]
        sent[of].append((event["timestamp"], event["properties"]["action"]))
    for consents in sent.values():
        actions = [action for _, action in sorted(consents)]
        assert len(actions) <= versions
        assert all(one != two for one, two in pairwise(actions))
    assert all(command.consent == (b'"event_type":"consent"' in bytes(command.data)) for _, command in line.commands)


def is_placed(status_id: int) -> bool:
    return status_id not in (0, 1, 5, 6)


def checkouts(line: Line, orders: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Rows of carts; whether an order was bought counts only where its last state says so (an earlier one may not have been seen).

    Whose an ended cart was is known only where its states came before its end.
    """
    rows = line.table("bigcommerce.checkouts")
    for row in rows.values():
        if row.get("ended"):
            row.pop("owner", None)
        for id, mark in row.get("orders", {}).items():
            if not is_placed(orders[id]["status_id"]):
                mark.pop("purchased", None)
                row.pop("ended", None)
                for fact in ("lines", "owner", "currency"):
                    row.pop(fact, None)
    return rows


@settings(max_examples=200, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_shuffled_doubled_and_thinned_deliveries_end_the_same(history: list[Message], seed: int):
    plain, other = Line().tell(*history).run(), Line(seed, one_line=False).tell(*deliveries(history, seed)).run()
    orders = final(history, "order-state")
    for topic in ("bigcommerce.accounts", "bigcommerce.subscribers"):
        assert other.table(topic) == plain.table(topic)
    assert checkouts(other, orders) == checkouts(plain, orders)
    assert people(other) == people(plain)

    accounts = {body["email"] for body in final(history, "customer-state").values()}
    properties = plain.properties()
    assert {who: p for who, p in other.properties().items() if who in accounts} == {
        who: p for who, p in properties.items() if who in accounts
    }
    assert all(p == properties[who] for who, p in other.properties().items())

    assert {place for place, action in other.consents().items() if action == "accept"} == {
        place for place, action in plain.consents().items() if action == "accept"
    }
    told = {m.id for m in history if m.name == "subscriber-gone"}  # type: ignore[attr-defined]
    live = {body["email"] for id, body in final(history, "subscriber-state").items() if id not in told}
    assert {p: a for p, a in other.consents().items() if p[0] in live} == {p: a for p, a in plain.consents().items() if p[0] in live}

    purchases = Counter(e["properties"]["purchase_id"] for e in other.distinct_events("purchase"))
    assert set(purchases.values()) <= {1}
    assert set(purchases) >= {id for id, body in orders.items() if is_placed(body["status_id"])}

    states = {(m.id, 1_700_000_000 + m.version + m.version / 1000) for m in history if isinstance(m, CartState)}
    states |= {(m.id, m.at_ms / 1000) for m in history if isinstance(m, CartGone) and not m.converted}
    carts = Counter((e["properties"]["cart_id"], e["timestamp"]) for e in other.distinct_events("cart_update"))
    assert set(carts.values()) <= {1}
    assert set(carts) <= states
    assert_sent_on_change_only(other, history)


@settings(max_examples=150, deadline=None)
@given(histories(changing=True), st.integers(0, 2**32))
def test_after_a_crash_at_any_point_the_same_records_give_the_same_commands_with_the_same_numbers(history: list[Message], seed: int):
    plain = Line(seed).tell(*history).run()
    random_, again = random.Random(seed), Line()
    for record in plain.log:
        for kill in random_.choices(["", "before its row", "after its row"], [6, 2, 1])[:1]:
            if kill == "before its row":
                again.decide(record, write=False)
            again.decide(record)
            if kill == "after its row":
                again.decide(record)

    def numbered(line: Line) -> dict[tuple[str, int], set[bytes]]:
        found: dict[tuple[str, int], set[bytes]] = {}
        for lane, command in line.commands:
            found.setdefault((lane, command.number), set()).add(bytes(command.data))
        return found

    assert numbered(again) == numbered(plain)
    assert all(len(bodies) == 1 for bodies in numbered(plain).values())
    assert again.rows == plain.rows


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_what_a_killed_batch_repeats_is_absorbed(history: list[Message], seed: int):
    plain, killed = Line(seed).tell(*history).run(), Line(seed).tell(*history)
    while waiting := killed.waiting():
        killed.run_killed(killed.random.choice(waiting), go_on=False)
    for topic in ("bigcommerce.accounts", "bigcommerce.subscribers", "bigcommerce.checkouts"):
        assert killed.table(topic) == plain.table(topic)
    assert people(killed) == people(plain)
    assert killed.properties() == plain.properties()
    assert killed.consents() == plain.consents()
    for type in ("purchase", "purchase_item", "order_update"):
        assert {str(e["properties"]) for e in killed.distinct_events(type)} == {str(e["properties"]) for e in plain.distinct_events(type)}
    assert max(Counter(e["properties"]["purchase_id"] for e in killed.distinct_events("purchase")).values(), default=1) == 1
    assert_sent_on_change_only(killed, history)


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_a_told_deletion_is_final(history: list[Message], seed: int):
    known = [m for m in history if isinstance(m, CustomerState) and m.id == "1"]
    line = Line(seed, one_line=False).tell(*history, *([] if known else [customer(1, "person1@example.com")])).run()
    line.tell(customer_gone(1, at=500)).run()
    assert [c for lane, c in line.commands if lane == lane_of("person1@example.com")][-1].kind == "anonymize"
    sent = len(line.commands)
    line.tell(*(m for m in deliveries(history, seed) if m.id in ("1", "c-1", "101"))).run()  # type: ignore[attr-defined]
    assert [c for lane, c in line.commands[sent:] if lane == lane_of("person1@example.com")] == []
    assert not [row for (topic, _), row in line.rows.items() if topic != "bigcommerce.subscribers" and b"person1" in row]
