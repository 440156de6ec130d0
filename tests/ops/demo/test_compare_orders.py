"""Which updates of an order may be missing, to the judge."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from ops.demo.compare.held import Held
from ops.demo.compare.orders import orders
from ops.demo.compare.owners import Owners
from ops.demo.compare.shop import Shop
from tests.ops.demo.test_compare_owners import FORMER, UNREAD_S, account, entity

Json = dict[str, Any]


@pytest.mark.parametrize(("gone_s", "right"), [(400, True), (None, False)])
def test_an_update_of_a_deleted_persons_order_may_have_been_dropped_though_the_next_one_follows_from_it(gone_s: int | None, right: bool):
    def body(at_s: int, status: int) -> Json:
        modified = format_datetime(datetime.fromtimestamp(at_s, UTC))
        about = {"status_id": status, "date_modified": modified, "total_inc_tax": "1.0000", "customer_id": 1}
        return {"billing_address": {"email": FORMER}, **about}

    order = entity(9, *((at_s, body(at_s, status)) for at_s, status in ((100, 11), (200, 2), (300, 10))))
    shop = Shop({"customer": [account(1, (0, FORMER), gone_s=gone_s)], "subscriber": [], "order": [order], "cart": []}, UNREAD_S)
    last = {"purchase_id": "9", "order_status": "Completed", "previous_status": "Shipped", "total_price": 1.0}
    ids = {"customer_id": "1", "email_id": FORMER}
    of = {"hard": {}, "anonymized_at_ms": 1, "former_ids": ids} if gone_s else {"hard": ids, "anonymized_at_ms": None, "former_ids": None}
    profile = {"internal_id": "p", "soft": {}, "properties": {}, "events": [{"type": "order_update", "timestamp": 300, "properties": last}]}
    _, _, updates = orders(shop, Held({"profiles": [profile | of]}), Owners(shop))
    assert (updates.wrong == []) is right
