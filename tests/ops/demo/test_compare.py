"""The demo's judge: it says nothing of a true copy, and names each way in which one can be false."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ops.demo.compare import compare

Json = dict[str, Any]
T = "2026-01-01T00:00:00Z"
T_S = 1_767_225_600


def entity(id: Any, body: Json, deleted_at_ms: int | None = None, **beside: Any) -> Json:
    return {"id": id, "body": body, "deleted_at_ms": deleted_at_ms, "states": [{"at_ms": 1, "body": body}], **beside}


def shop() -> Json:
    account = {"first_name": "Ada", "last_name": "", "phone": "", "company": "", "customer_group_id": 0, "date_created": T}
    account |= {"addresses": [], "attributes": [], "form_fields": []}
    order = {"status_id": 11, "customer_id": 1, "total_inc_tax": "10.5000", "date_created": "Thu, 01 Jan 2026 00:00:00 +0000"}
    order |= {"cart_id": "c-2", "billing_address": {"email": "till@example.com"}}
    cart = {"customer_id": 0, "line_items": {"physical_items": [{"quantity": 2}]}}
    return {
        "customer": [
            entity(1, account | {"email": "Ada@Example.com"}),
            entity(2, account | {"email": "gone@example.com"}, deleted_at_ms=9),
        ],
        "subscriber": [entity(5, {"email": "sub@example.com", "consents": ["marketing_newsletter"]})],
        "order": [entity(7, order, products=[{"id": 70, "product_id": 3, "quantity": 2}])],
        "cart": [entity("c-1", cart)],
    }


def event(type: str, timestamp: float, **properties: Any) -> Json:
    return {"type": type, "timestamp": timestamp, "properties": properties}


def profile(number: int, hard: Json, soft: Json, properties: Json, events: list[Json], former_ids: Json | None = None) -> Json:
    gone = 9 if former_ids else None
    return {"internal_id": str(number), "hard": hard, "soft": soft, "properties": properties, "events": events} | {
        "anonymized_at_ms": gone,
        "former_ids": former_ids,
    }


def engagement() -> Json:
    names = ("last_name", "phone", "company", "country", "country_code", "state", "city", "zip")
    ada = dict.fromkeys(names, "") | {"email": "ada@example.com", "first_name": "Ada", "customer_group_id": "0", "registered_at": T_S}
    bought = {"total_price": 10.5, "total_quantity": 2, "product_ids": ["3"], "customer_type": "registered"}
    accounts_events = [
        event("purchase", T_S, purchase_id="7", order_status="Awaiting Fulfillment", **bought),
        event("purchase_item", T_S, purchase_id="7", line_item_id="70"),
    ]
    consents = [
        event("consent", T_S, category="bigcommerce", action="accept"),
        event("consent", T_S, category="bigcommerce_abandoned_cart", action="reject"),
    ]
    return {
        "profiles": [
            profile(1, {"customer_id": "1", "email_id": "ada@example.com"}, {}, ada, accounts_events),
            profile(2, {}, {}, {"first_name": ""}, [], {"customer_id": "2", "email_id": "gone@example.com"}),
            profile(3, {"email_id": "sub@example.com"}, {"subscriber_id": ["5"]}, {"email": "sub@example.com"}, consents),
            profile(4, {}, {"cart_id": ["c-1"]}, {}, [event("cart_update", T_S, cart_id="c-1", action="add", total_quantity=2)]),
        ],
        "conflicts": [],
    }


def wrong(found: Json, dead_letters: int = 0) -> list[str]:
    return [row.what for row in compare(shop(), found, dead_letters) if row.wrong]


def test_a_true_copy_has_no_difference():
    rows = compare(shop(), engagement(), 0)
    assert [row.wrong for row in rows if row.wrong] == []
    assert {row.what: row.in_shop for row in rows} == {
        "customers' profiles": 1,
        "deleted customers, anonymized": 1,
        "subscribers' consents": 1,
        "consent events, each once": 2,
        "orders: purchase": 1,
        "orders: purchase_item": 1,
        "orders: order_update": 1,
        "carts: cart_update": 1,
        "hard ids that clash": 0,
        "dead letters": 0,
    }


ADA, GONE, SUB, CART = range(4)
FALSE: dict[str, tuple[str, Callable[[list[Json]], Any]]] = {
    "a profile is missing": ("customers' profiles", lambda p: p.__setitem__(ADA, profile(1, {}, {}, {}, p[ADA]["events"]))),
    "a property is old": ("customers' profiles", lambda p: p[ADA]["properties"].update(first_name="Eve")),
    "a deleted person is not anonymized": ("deleted customers, anonymized", lambda p: p[GONE]["hard"].update(customer_id="2")),
    "a deleted person's e-mail is elsewhere": (
        "deleted customers, anonymized",
        lambda p: p.append(profile(9, {}, {}, {"email": "gone@example.com"}, [])),
    ),
    "an anonymized profile holds a name": ("deleted customers, anonymized", lambda p: p[GONE]["properties"].update(first_name="G")),
    "a consent is wrong": ("subscribers' consents", lambda p: p[SUB]["events"][0]["properties"].update(action="reject")),
    "a consent was never sent": ("subscribers' consents", lambda p: p[SUB]["events"].clear()),
    "a consent stands twice": ("consent events, each once", lambda p: p[SUB]["events"].append(p[SUB]["events"][0])),
    "a purchase stands twice": ("orders: purchase", lambda p: p[CART]["events"].append(p[ADA]["events"][0])),
    "a purchase is another person's": ("orders: purchase", lambda p: p[SUB]["events"].append(p[ADA]["events"].pop(0))),
    "a purchase has another amount": ("orders: purchase", lambda p: p[ADA]["events"][0]["properties"].update(total_price=10.6)),
    "a purchase has another time": ("orders: purchase", lambda p: p[ADA]["events"][0].update(timestamp=T_S + 1)),
    "an item is missing": ("orders: purchase_item", lambda p: p[ADA]["events"].pop(1)),
    "a status is old": ("orders: order_update", lambda p: p[ADA]["events"][0]["properties"].update(order_status="Pending")),
    "a cart is old": ("carts: cart_update", lambda p: p[CART]["events"][0]["properties"].update(total_quantity=1)),
    "a cart's event stands twice": ("carts: cart_update", lambda p: p[CART]["events"].append(p[CART]["events"][0])),
}


@pytest.mark.parametrize("what", FALSE)
def test_a_false_copy_is_named(what: str):
    row, spoil = FALSE[what]
    found = copy.deepcopy(engagement())
    spoil(found["profiles"])
    assert row in wrong(found)


def test_clashes_and_dead_letters_are_differences():
    assert wrong(engagement() | {"conflicts": [{"ids": {}}]}) == ["hard ids that clash"]
    assert wrong(engagement(), dead_letters=1) == ["dead letters"]
