"""The demo's judge: it says nothing of a true pair of states, and names each way in which Engagement can be wrong.

`states.json` is what the simulators held after a short demo, cut down to a few people and to the fields that are compared.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.demo.compare import compare
from ops.demo.compare.shop import Shop, Unheard

Json = dict[str, Any]
TRUE: Json = json.loads((Path(__file__).parent / "states.json").read_text())
GUEST, OTHER_GUEST = {"email_id": "lena.33@example.com"}, {"email_id": "mira.48@example.com"}
SUBSCRIBER = {"email_id": "jun.24@example.com"}
ACCOUNT = {"customer_id": "24", "email_id": "gia.28@example.com"}
DELETED_EMAIL, DELETED_ID = "mira.5@example.com", "4"  # somebody registered with that e-mail again
ACCOUNTS, GONE, KNOWN = "customers' profiles", "deleted customers, anonymized", "people known by e-mail alone"
CONSENTS, ONCE = "subscribers' consents", "consent events, each once"
PURCHASE, ITEM, UPDATE, CART = "orders: purchase", "orders: purchase_item", "orders: order_update", "carts: cart_update"
CATALOGS = ("catalog: products", "catalog: variants")  # test_compare_catalogs.py
NOTHING = "nothing that should not be there"


class Held:
    """Engagement's state, to be spoilt."""

    def __init__(self) -> None:
        self.shop: Json = copy.deepcopy(TRUE["shop"])
        self.state: Json = copy.deepcopy(TRUE["engagement"])
        self.profiles: list[Json] = self.state["profiles"]

    def wrong(self, dead_letters: int = 0) -> dict[str, list[str]]:
        return {row.what: row.wrong for row in compare(self.shop, self.state, dead_letters, unread_s=0) if row.wrong}

    def of(self, ids: Json) -> Json:
        [profile] = [p for p in self.profiles if p["hard"] == ids]
        return profile

    @property
    def anonymized(self) -> Json:
        [profile] = [p for p in self.profiles if p["anonymized_at_ms"]]
        return profile

    def event(self, type: str, **properties: Any) -> tuple[Json, Json]:
        """The last one of that kind, and its profile."""
        found = [(p, e) for p in self.profiles for e in p["events"] if e["type"] == type and properties.items() <= e["properties"].items()]
        return found[-1]

    def change(self, type: str, properties: Json, **changed: Any) -> None:
        self.event(type, **properties)[1]["properties"].update(changed)

    def move(self, type: str, properties: Json, ids: Json) -> None:
        """Every event of that kind, to another profile."""
        for profile in self.profiles:
            moved = [e for e in profile["events"] if e["type"] == type and properties.items() <= e["properties"].items()]
            profile["events"] = [e for e in profile["events"] if e not in moved]
            self.of(ids)["events"] += moved

    def take(self, **properties: Any) -> list[Json]:
        taken: list[Json] = []
        for profile in self.profiles:
            mine = [e for e in profile["events"] if properties.items() <= e["properties"].items()]
            profile["events"] = [e for e in profile["events"] if e not in mine]
            taken += mine
        return taken

    def again(self, type: str, later_s: float, **properties: Any) -> None:
        profile, event = self.event(type, **properties)
        profile["events"].append(copy.deepcopy(event) | {"timestamp": event["timestamp"] + later_s})

    def add(self, hard: Json, events: list[Json], **soft: list[str]) -> None:
        email = {"email": hard["email_id"]} if "email_id" in hard else {}
        profile = {"internal_id": "new", "hard": hard, "soft": soft, "properties": email, "events": events}
        self.profiles.append(profile | {"anonymized_at_ms": None, "former_ids": None})


def test_a_true_copy_has_no_difference():
    held = Held()
    assert held.wrong() == {}
    counted = {row.what: (row.in_shop, row.right) for row in compare(held.shop, held.state, 0, unread_s=0)}
    assert all(right == whole for whole, right in counted.values())
    nothing = {"lapsed subscribers, anonymized", "hard ids that clash", "dead letters", *CATALOGS}
    assert {what for what, (whole, _) in counted.items() if not whole} == nothing


ORDER, GUESTS, CANCELLED = {"purchase_id": "116"}, {"purchase_id": "135"}, {"purchase_id": "140"}
COUPON_CART = {"cart_id": next(c["id"] for c in TRUE["shop"]["cart"] if c["body"]["coupons"] and not c["deleted_at_ms"])}
[EMPTIED] = [
    e["properties"]["cart_id"] for p in TRUE["engagement"]["profiles"] for e in p["events"] if e["properties"].get("action") == "empty"
]
LAST = {"action": "update", **COUPON_CART}  # what was told of the cart last
ACCEPTED = {"category": "bigcommerce_abandoned_cart", "action": "accept"}


def came_back(held: Held, *, purchase: bool) -> None:
    """A new profile with the e-mail of a deleted person, who did not come back."""
    held.shop["customer"] = [c for c in held.shop["customer"] if c["id"] != 30]
    held.shop["subscriber"] = [s for s in held.shop["subscriber"] if s["id"] != 13]
    held.profiles.remove(held.of({"customer_id": "30", "email_id": DELETED_EMAIL}))
    [cart] = [c for c in held.shop["cart"] if c["body"]["customer_id"] == 4]
    mine = held.take(purchase_id="110") if purchase else held.take(cart_id=cart["id"])
    assert mine
    held.add({"email_id": DELETED_EMAIL}, mine)


FALSE: dict[str, tuple[str, Callable[[Held], Any]]] = {
    # events on the wrong profile
    "a purchase is another person's": (PURCHASE, lambda h: h.move("purchase", ORDER, SUBSCRIBER)),
    "items are another person's": (ITEM, lambda h: h.move("purchase_item", ORDER, SUBSCRIBER)),
    "an update is another person's": (UPDATE, lambda h: h.move("order_update", {"purchase_id": "114"}, SUBSCRIBER)),
    "a cart is another person's": (CART, lambda h: h.move("cart_update", {"cart_id": h.of(GUEST)["soft"]["cart_id"][0]}, SUBSCRIBER)),
    "an anonymous cart is somebody's": (CART, lambda h: h.move("cart_update", COUPON_CART, SUBSCRIBER)),
    "a cart was not joined to its order's person": (
        CART,
        lambda h: h.add({}, h.take(cart_id=h.of(GUEST)["soft"]["cart_id"][0], action="add"), cart_id=h.of(GUEST)["soft"].pop("cart_id")),
    ),
    "consents are another person's": (ONCE, lambda h: h.move("consent", {"category": "bigcommerce"}, ACCOUNT)),
    "a subscription is another person's": (
        CONSENTS,
        lambda h: h.of(ACCOUNT)["soft"].update(subscriber_id=h.of(SUBSCRIBER)["soft"].pop("subscriber_id")),
    ),
    "a deleted person's purchase is a live one's": (PURCHASE, lambda h: h.move("purchase", {"purchase_id": "110"}, ACCOUNT)),
    "a deleted person's purchase is that of who came with the e-mail later": (
        PURCHASE,
        lambda h: h.move("purchase", {"purchase_id": "110"}, {"customer_id": "30", "email_id": DELETED_EMAIL}),
    ),
    "a deleted person's cart is a live one's": (
        CART,
        lambda h: h.move("cart_update", {"cart_id": h.anonymized["former_ids"]["cart_id"][-1]}, ACCOUNT),
    ),
    # a deleted person brought back
    "a deleted person came back with a late cart": (GONE, lambda h: came_back(h, purchase=False)),
    "a deleted person came back with the old purchase": (PURCHASE, lambda h: came_back(h, purchase=True)),
    "a deleted person's account came back": (GONE, lambda h: h.add({"customer_id": DELETED_ID}, [])),
    "a deleted person is not anonymized": (GONE, lambda h: h.anonymized.update(hard={"customer_id": DELETED_ID}, anonymized_at_ms=None)),
    "an anonymized profile holds a name": (GONE, lambda h: h.anonymized["properties"].update(first_name="G")),
    "an anonymized profile holds an attribute": (GONE, lambda h: h.anonymized["properties"].update(bigcommerce_shoe_size="37")),
    "an anonymized profile holds when it began": (GONE, lambda h: h.anonymized["properties"].update(registered_at=1_795_571_000)),
    "somebody who is there was anonymized": (
        ACCOUNTS,
        lambda h: h.of(ACCOUNT).update(former_ids=h.of(ACCOUNT)["hard"], hard={}, properties={}, anonymized_at_ms=1),
    ),
    # profiles
    "a profile is missing": (ACCOUNTS, lambda h: h.of(ACCOUNT).update(hard={"email_id": "gia.28@example.com"})),
    "an email_id is missing": (ACCOUNTS, lambda h: h.of(ACCOUNT).update(hard={"customer_id": "24"})),
    "an email_id is another person's": (ACCOUNTS, lambda h: h.of(ACCOUNT)["hard"].update(email_id="other@example.com")),
    "a property is old": (ACCOUNTS, lambda h: h.of(ACCOUNT)["properties"].update(first_name="Eve")),
    "a property is left over": (ACCOUNTS, lambda h: h.of(ACCOUNT)["properties"].update(bigcommerce_old="x")),
    "a property is missing": (ACCOUNTS, lambda h: h.of(ACCOUNT)["properties"].pop("zip")),
    "a subscriber's e-mail is wrong": (KNOWN, lambda h: h.of(SUBSCRIBER)["properties"].update(email="other@example.com")),
    "a subscriber's e-mail is missing": (KNOWN, lambda h: h.of(SUBSCRIBER)["properties"].clear()),
    "a guest has a property too many": (KNOWN, lambda h: h.of(GUEST)["properties"].update(first_name="Lena")),
    "a profile has the e-mail in another case": (NOTHING, lambda h: h.add({"email_id": "Lena.33@example.com"}, [])),
    "a profile is nobody's": (NOTHING, lambda h: h.add({"email_id": "nobody@example.com"}, [])),
    "a profile has no ids": (NOTHING, lambda h: h.add({}, [], cookie=["c"])),
    "a profile bears a cart that never was": (NOTHING, lambda h: h.of(GUEST)["soft"]["cart_id"].append("never")),
    "somebody is anonymized who never was": (NOTHING, lambda h: h.add({}, []) or h.profiles[-1].update(anonymized_at_ms=1)),
    # consents
    "a consent is wrong": (CONSENTS, lambda h: h.take(category="bigcommerce", action="reject")),
    "a consent was never sent": (CONSENTS, lambda h: h.of(SUBSCRIBER)["events"].clear()),
    "a consent says more than it may": (ONCE, lambda h: h.change("consent", ACCEPTED, valid_until="tomorrow")),
    "a consent stands twice": (ONCE, lambda h: h.again("consent", 0, **ACCEPTED)),
    "a consent is said again later": (ONCE, lambda h: h.again("consent", 0.5, **ACCEPTED)),
    "a consent has another time": (ONCE, lambda h: h.event("consent", **ACCEPTED)[1].update(timestamp=1.0)),
    "a consent of a category that is not": (NOTHING, lambda h: h.change("consent", ACCEPTED, category="other")),
    # orders
    "a purchase is missing": (PURCHASE, lambda h: h.take(purchase_id="116")),
    "the purchase of an order that was cancelled later is missing": (PURCHASE, lambda h: h.take(purchase_id="140")),
    "a purchase stands twice": (PURCHASE, lambda h: h.again("purchase", 0, **ORDER)),
    "a purchase stands twice, on two profiles": (PURCHASE, lambda h: h.of(SUBSCRIBER)["events"].append(h.event("purchase", **ORDER)[1])),
    "a purchase has another time": (PURCHASE, lambda h: h.event("purchase", **ORDER)[1].update(timestamp=1.0)),
    "a purchase of an order that never was": (NOTHING, lambda h: h.change("purchase", GUESTS, purchase_id="999")),
    "items of an order that never was": (NOTHING, lambda h: h.change("purchase_item", GUESTS, purchase_id="999")),
    "an item is missing": (ITEM, lambda h: h.of(GUEST)["events"].remove(h.event("purchase_item", **ORDER)[1])),
    "an item stands twice": (ITEM, lambda h: h.again("purchase_item", 0, **ORDER)),
    "an item has another time": (ITEM, lambda h: h.event("purchase_item", **ORDER)[1].update(timestamp=1.0)),
    "a status was not told": (UPDATE, lambda h: h.take(purchase_id="140", order_status="Cancelled")),
    "a status is wrong": (UPDATE, lambda h: h.change("order_update", CANCELLED, order_status="Refunded")),
    "the status before is wrong": (UPDATE, lambda h: h.change("order_update", CANCELLED, previous_status="Shipped")),
    "an update's total is wrong": (UPDATE, lambda h: h.change("order_update", CANCELLED, total_price=1.0)),
    "an update stands twice": (UPDATE, lambda h: h.again("order_update", 0, **CANCELLED)),
    "an update is told again later": (UPDATE, lambda h: h.again("order_update", 1, **CANCELLED)),
    # carts
    "a cart's last state was not told": (CART, lambda h: h.take(**LAST)),
    "a cart's action is wrong": (CART, lambda h: h.change("cart_update", LAST, action="remove")),
    "a cart's event stands twice": (CART, lambda h: h.again("cart_update", 0, **LAST)),
    "a cart's event comes again later": (CART, lambda h: h.again("cart_update", 0.5, **LAST)),
    "all events of an emptied cart are missing": (CART, lambda h: h.take(cart_id=EMPTIED)),
    "an `empty` is missing": (CART, lambda h: h.take(cart_id=EMPTIED, action="empty")),
    "an `empty` has another time": (CART, lambda h: h.event("cart_update", cart_id=EMPTIED, action="empty")[1].update(timestamp=1.0)),
    "an `empty` comes again later": (CART, lambda h: h.again("cart_update", 1, cart_id=EMPTIED, action="empty")),
    "a cart that became an order was emptied": (
        CART,
        lambda h: h.of(GUEST)["events"].append(
            h.event("cart_update", action="empty")[1]
            | {"properties": h.event("cart_update", action="empty")[1]["properties"] | {"cart_id": h.of(GUEST)["soft"]["cart_id"][0]}}
        ),
    ),
    "a cart that never was": (NOTHING, lambda h: h.change("cart_update", LAST, cart_id="never")),
    "an event of another type": (NOTHING, lambda h: h.of(GUEST)["events"].append({"type": "visit", "timestamp": 1.0, "properties": {}})),
}


@pytest.mark.parametrize("what", FALSE)
def test_a_false_copy_is_named(what: str):
    row, spoil = FALSE[what]
    held = Held()
    spoil(held)
    assert row in held.wrong()


OF = {
    "purchase": (PURCHASE, ORDER),
    "purchase_item": (ITEM, ORDER),
    "order_update": (UPDATE, CANCELLED),
    "cart_update": (CART, LAST),
}
VALUES = [(type, name) for type, (_, about) in OF.items() for name in Held().event(type, **about)[1]["properties"]]


@pytest.mark.parametrize(
    ("type", "name"), [(t, n) for t, n in VALUES if n not in {"purchase_id", "line_item_id"} and (t, n) != ("cart_update", "cart_id")]
)
@pytest.mark.parametrize("spoil", [lambda p, n: p.update({n: "other"}), lambda p, n: p.pop(n), lambda p, n: p.update({f"{n}_too": 1})])
def test_every_value_counts(type: str, name: str, spoil: Callable[[Json, str], Any]):
    row, about = OF[type]
    held = Held()
    spoil(held.event(type, **about)[1]["properties"], name)
    assert [what for what in held.wrong() if what == row] == [row]


def test_clashes_and_dead_letters_are_differences():
    held = Held()
    held.state["conflicts"] = [{"ids": {}}]
    assert list(held.wrong(dead_letters=1)) == ["hard ids that clash", "dead letters"]


def test_what_came_and_went_unread_may_be_missing():
    held = Held()
    held.take(purchase_id="140")
    held.take(cart_id=EMPTIED)
    held.profiles.remove(next(p for p in held.profiles if EMPTIED in p["soft"].get("cart_id", ())))
    wrong = {row.what for row in compare(held.shop, held.state, 0, unread_s=60) if row.wrong}
    assert wrong == set()


def test_a_subscriber_that_a_read_found_gone_rejects_as_of_what_made_us_look():
    held = Held()
    said = [e for e in held.of(SUBSCRIBER)["events"] if e["properties"]["category"] == "bigcommerce"]
    event = max(said, key=lambda e: float(e["timestamp"]))
    event["timestamp"] += 0.893
    assert held.wrong() == {}
    event["timestamp"] += 60
    assert list(held.wrong()) == [ONCE]


@pytest.mark.parametrize(("began_s", "ended_s", "brief"), [(50, 120, True), (50, 140, False), (105, 120, False), (105, 106, True)])
def test_what_of_the_past_had_changed_before_it_was_loaded_need_not_have_been_read(began_s: int, ended_s: int, brief: bool):
    states = [{"at_ms": at_s * 1000, "body": {"id": 1}} for at_s in (began_s, ended_s)]
    kinds = {"customer": [{"id": 1, "states": states, "deleted_at_ms": None}], "subscriber": [], "order": [], "cart": []}
    [first, last] = Shop(kinds, 2.0, [Unheard(0, until_s=100, read_s=130)]).customers["1"].states
    assert (first.brief, last.brief) == (brief, False)


@pytest.mark.parametrize(
    ("began_s", "ended_s", "brief"), [(99, 105, False), (100, 105, True), (109, 160, False), (110, 111, True), (110, 113, False)]
)
def test_what_no_webhook_told_of_need_not_have_been_read_before_it_was_looked_for(began_s: int, ended_s: int, brief: bool):
    states = [{"at_ms": at_s * 1000, "body": {"id": 1}} for at_s in (began_s, ended_s)]
    kinds = {"customer": [{"id": 1, "states": states, "deleted_at_ms": None}], "subscriber": [], "order": [], "cart": []}
    [first, _] = Shop(kinds, 2.0, [Unheard(100, until_s=110, read_s=150)]).customers["1"].states
    assert first.brief is brief
