"""Which carts must be joined to their people, to the judge."""

from typing import Any

import pytest

from ops.demo.compare.carts import carts
from ops.demo.compare.held import Held
from ops.demo.compare.owners import Owners
from ops.demo.compare.shop import Shop
from tests.ops.demo.test_compare_owners import FORMER, HOME, LAST, UNREAD_S, account, entity

Json = dict[str, Any]


def wrong(email: str, hard: Json, *, customer_id: int = 0) -> list[str]:
    """Of an anonymous cart that became an order at 400, while Engagement has it under its own id alone, and account 2 under `hard`.

    Account 1 began on FORMER and left it, account 2 began there after it, and moved to LAST.
    """
    customers = [account(1, (0, FORMER), (100, HOME)), account(2, (200, FORMER), (300, LAST))]
    line = {"id": "l", "product_id": 7, "variant_id": 70, "sku": "S", "quantity": 1}
    body = {
        "id": "c", "email": "", "customer_id": 0, "version": 1, "updated_time": "1970-01-01T00:06:30Z", "cart_amount": 1,
        "coupons": [], "line_items": {"physical_items": [line]},
    }  # fmt: skip
    cart = entity(0, (390, body), gone_s=400) | {"id": "c"}
    cart["states"][0]["body"]["id"] = "c"
    order = entity(9, (400, {"cart_id": "c", "customer_id": customer_id, "status_id": 11, "billing_address": {"email": email}}))
    shop = Shop({"customer": customers, "subscriber": [], "order": [order], "cart": [cart]}, UNREAD_S)
    update = {
        "action": "add", "cart_id": "c", "product_list": [{"product_id": "7", "variant_id": "70", "sku": "S", "quantity": 1}],
        "product_ids": ["7"], "variant_ids": ["70"], "total_quantity": 1, "total_price": 1.0, "total_price_local_currency": 1.0,
        "local_currency": "USD", "voucher_code": "",
    }  # fmt: skip
    of = {"properties": {}, "anonymized_at_ms": None, "former_ids": None}
    profiles = [
        of | {"internal_id": "a", "hard": {}, "soft": {"cart_id": ["c"]},
              "events": [{"type": "cart_update", "timestamp": 390.001, "properties": update}]},
        of | {"internal_id": "p", "hard": hard, "soft": {}, "events": []},
    ]  # fmt: skip
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
