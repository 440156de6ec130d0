"""Which carts must be joined to their people, and what is told of them, to the judge."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ops.demo.compare.carts import carts
from ops.demo.compare.held import Held
from ops.demo.compare.owners import Owners
from ops.demo.compare.shop import Shop
from tests.ops.demo.test_compare_owners import FORMER, HOME, LAST, UNREAD_S, account, entity

Json = dict[str, Any]


def cart_body(at_s: int, version: int, email: str, quantity: int) -> Json:
    line = {"id": "l", "product_id": 7, "variant_id": 70, "sku": "S", "quantity": quantity}
    updated = datetime.fromtimestamp(at_s, UTC).isoformat()
    about = {"id": "c", "email": email, "customer_id": 0, "version": version, "updated_time": updated, "cart_amount": quantity}
    return {**about, "coupons": [], "line_items": {"physical_items": [line]}}


def update(action: str, quantity: int) -> Json:
    line = {"product_id": "7", "variant_id": "70", "sku": "S", "quantity": quantity}
    about = {"action": action, "cart_id": "c", "product_list": [line], "product_ids": ["7"], "variant_ids": ["70"], "voucher_code": ""}
    paid = {"total_price": float(quantity), "total_price_local_currency": float(quantity), "local_currency": "USD"}
    return {**about, **paid, "total_quantity": quantity}


def held_profile(name: str, hard: Json, carts: list[str], events: list[Json]) -> Json:
    of = {"properties": {}, "anonymized_at_ms": None, "former_ids": None}
    return {"internal_id": name, "hard": hard, "soft": {"cart_id": carts} if carts else {}, "events": events, **of}


def wrong(email: str, hard: Json, *, customer_id: int = 0) -> list[str]:
    """Of an anonymous cart that became an order at 400, while Engagement has it under its own id alone, and account 2 under `hard`.

    Account 1 began on FORMER and left it, account 2 began there after it, and moved to LAST.
    """
    customers = [account(1, (0, FORMER), (100, HOME)), account(2, (200, FORMER), (300, LAST))]
    cart = entity(0, (390, cart_body(390, 1, "", 1)), gone_s=400) | {"id": "c"}
    order = entity(9, (400, {"cart_id": "c", "customer_id": customer_id, "status_id": 11, "billing_address": {"email": email}}))
    shop = Shop({"customer": customers, "subscriber": [], "order": [order], "cart": [cart]}, UNREAD_S)
    added = {"type": "cart_update", "timestamp": 390.001, "properties": update("add", 1)}
    profiles = [held_profile("a", {}, ["c"], [added]), held_profile("p", hard, [], [])]
    return carts(shop, Held({"profiles": profiles}), Owners(shop)).wrong


@pytest.mark.parametrize(
    ("email", "hard", "customer_id", "right"),
    [
        (LAST, {"customer_id": "2"}, 0, True),
        (LAST, {"customer_id": "2", "email_id": FORMER}, 0, False),
        (LAST, {"customer_id": "2"}, 2, False),
        (HOME, {"customer_id": "1", "email_id": FORMER}, 0, False),
    ],
)
def test_only_what_comes_by_an_email_of_one_who_has_no_email_id_is_not_joined(email: str, hard: Json, customer_id: int, right: bool):
    assert (wrong(email, hard, customer_id=customer_id) == []) is right


@pytest.mark.parametrize(("gone_s", "right"), [(150, True), (None, False)])
def test_a_cart_that_alone_started_no_profile_goes_on_from_what_it_held_then(gone_s: int | None, right: bool):
    """After a deletion its first state is dropped; who registers with the e-mail is told the next one, which adds nothing to the first."""
    customers = [account(1, (0, FORMER), gone_s=gone_s), *([account(2, (250, FORMER))] if gone_s else [])]
    states = [(at_s, cart_body(at_s, version, FORMER, version)) for at_s, version in ((200, 1), (300, 2))]
    shop = Shop({"customer": customers, "subscriber": [], "order": [], "cart": [entity(0, *states) | {"id": "c"}]}, UNREAD_S)
    ids = {"customer_id": "2" if gone_s else "1", "email_id": FORMER}
    profile = held_profile("p", ids, ["c"], [{"type": "cart_update", "timestamp": 300.002, "properties": update("update", 2)}])
    assert (carts(shop, Held({"profiles": [profile]}), Owners(shop)).wrong == []) is right
