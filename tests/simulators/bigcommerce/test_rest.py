"""What REST serves (docs/facts/bigcommerce.md 2), compared with documented bodies."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples/bigcommerce/rest"
LINE = {"product_id": 77, "variant_id": 5, "sku": "T-1", "name": "Towel", "brand": "Fog", "price": "10.50", "quantity": 2}
DAY_MS = 86_400_000


def documented(name: str):
    return json.loads((EXAMPLES / name).read_text())


def place(shop, *, lines=(LINE,), status=11, **fields) -> int:
    _, order = shop.act(
        {"action": "create_cart", "lines": list(lines), "email": "jane@example.com"},
        {"action": "checkout", "cart_id": "$0.id", "status": status, **fields},
    )
    return order["id"]


# shapes


def test_a_customer_has_the_documented_keys(shop):
    shop.act({"action": "create_customer", "email": "a@example.com", "addresses": [{"city": "Austin"}], "attributes": {"size": "L"}})
    [customer] = shop.data("/v3/customers", include="addresses,attributes,formfields,storecredit")
    example = documented("customers_v3_page.json")["data"][0]
    assert example.keys() - {"shopper_profile_id", "segment_ids"} <= customer.keys()
    assert example["addresses"][0].keys() <= customer["addresses"][0].keys()


def test_a_subscriber_has_the_documented_keys(shop):
    subscriber = shop.act({"action": "create_subscriber", "email": "a@example.com"})[0]["id"]
    assert shop.data(f"/v3/customers/subscribers/{subscriber}").keys() == documented("subscriber_v3_one.constructed.json")["data"].keys()


def test_a_cart_has_the_documented_keys(shop):
    kinds = [LINE, {"type": "gift_certificate", "name": "Gift", "price": 50}, {"type": "custom", "name": "Rope Toy", "price": "5.99"}]
    cart = shop.data(f"/v3/carts/{shop.act({'action': 'create_cart', 'lines': kinds})[0]['id']}")
    example = documented("cart_v3_after_item_delete.json")["data"]
    assert example.keys() - {"meta"} <= cart.keys()
    for kind in ("physical_items", "gift_certificates", "custom_items"):
        assert example["line_items"][kind][0].keys() - {"options"} <= cart["line_items"][kind][0].keys()


def test_an_order_and_its_parts_have_the_documented_keys(shop):
    order = place(shop, shipping_cost=5)
    assert documented("orders_v2_one.json").keys() <= shop.get(f"/v2/orders/{order}").json().keys()
    [line] = shop.get(f"/v2/orders/{order}/products").json()
    left_out = {"width", "height", "depth", "return_id", "fixed_shipping_cost", "bin_picking_number"}
    needed = {key for key in documented("orders_v2_products.json")[0] if "wrapping" not in key and "ebay" not in key}
    assert needed - left_out <= line.keys()
    [address] = shop.get(f"/v2/orders/{order}/shipping_addresses").json()
    assert documented("orders_v2_shipping_addresses.json")[0].keys() == address.keys()
    assert address == shop.get(f"/v2/orders/{order}/shippingaddresses").json()[0]


def test_store_information_statuses_and_counts_have_the_documented_keys(shop):
    store = shop.get("/v2/store").json()
    left_out = {"favicon_url", "dimension_decimal_places", "dimension_decimal_token", "dimension_thousands_token"}
    assert documented("store_v2.json").keys() - left_out <= store.keys()
    assert (store["id"], store["currency"]) == (shop.hash, "USD")
    statuses = shop.get("/v2/order_statuses").json()
    names = {status["id"]: status["name"] for status in documented("order_statuses.json")}
    assert {status["id"]: status["name"] for status in statuses} == names
    count = shop.get("/v2/orders/count").json()
    assert documented("orders_v2_count.json")["statuses"][0].keys() == count["statuses"][0].keys()


# customers and subscribers


def test_customers_are_found_by_id_and_email_and_a_missing_one_is_left_out(shop):
    first, second = shop.act(
        {"action": "create_customer", "email": "A@example.com"}, {"action": "create_customer", "email": "b@example.com"}
    )
    ids = f"{second['id']},{first['id']},999"
    assert [customer["id"] for customer in shop.data("/v3/customers", **{"id:in": ids})] == [first["id"], second["id"]]
    assert [customer["id"] for customer in shop.data("/v3/customers", **{"email:in": "a@EXAMPLE.com"})] == [first["id"]]
    shop.act({"action": "delete_customer", "id": first["id"]})
    assert [customer["id"] for customer in shop.data("/v3/customers", **{"id:in": ids})] == [second["id"]]


def test_what_is_not_included_is_absent(shop):
    shop.act({"action": "create_customer", "email": "a@example.com", "addresses": [{"city": "Austin"}], "form_fields": {"Field": "v"}})
    assert not shop.data("/v3/customers")[0].keys() & {"addresses", "attributes", "form_fields", "store_credit_amounts"}
    assert shop.data("/v3/customers", include="formfields")[0]["form_fields"][0]["value"] == "v"


def test_pages_say_how_many_there_are(shop):
    shop.act(*({"action": "create_customer", "email": f"{number}@example.com"} for number in range(60)))
    first = shop.get("/v3/customers").json()
    assert len(first["data"]) == 50
    pagination = first["meta"]["pagination"]
    assert (pagination["total"], pagination["count"], pagination["total_pages"]) == (60, 50, 2)
    assert len(shop.data("/v3/customers", page=2)) == 10
    assert shop.data("/v3/customers", page=3) == []
    assert len(shop.data("/v3/customers", limit=250)) == 60
    assert shop.get("/v3/customers", limit=251).status_code == 413
    assert shop.get("/v3/customers", page=0).status_code == 422


def test_a_cursor_skips_nobody_when_someone_before_it_is_deleted(shop):
    shop.act(*({"action": "create_customer", "email": f"{number}@example.com"} for number in range(6)))
    first = shop.get("/v3/customers", limit=4).json()
    shop.act({"action": "delete_customer", "id": first["data"][0]["id"]})
    after = first["meta"]["cursor_pagination"]["end_cursor"]
    assert len(shop.data("/v3/customers", limit=4, after=after)) == 2
    assert len(shop.data("/v3/customers", limit=4, page=2)) == 1


def test_customers_are_filtered_and_sorted_by_their_times(shop):
    shop.knobs(clock_offset_ms=-DAY_MS)
    old, touched = shop.act(
        {"action": "create_customer", "email": "old@example.com"}, {"action": "create_customer", "email": "x@example.com"}
    )
    shop.knobs(clock_offset_ms=0)
    new = shop.act({"action": "create_customer", "email": "new@example.com"})[0]
    shop.act({"action": "update_customer", "id": touched["id"], "fields": {"first_name": "Jane"}})
    since = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert {customer["id"] for customer in shop.data("/v3/customers", **{"date_modified:min": since})} == {touched["id"], new["id"]}
    assert {customer["id"] for customer in shop.data("/v3/customers", **{"date_created:max": since})} == {old["id"], touched["id"]}
    assert [customer["id"] for customer in shop.data("/v3/customers", sort="date_modified:desc")][-1] == old["id"]


def test_addresses_and_attributes_change_without_the_customers_date(shop):
    shop.knobs(clock_offset_ms=-DAY_MS)
    customer = shop.act({"action": "create_customer", "email": "a@example.com"})[0]["id"]
    shop.knobs(clock_offset_ms=0)
    before = shop.data("/v3/customers")[0]["date_modified"]
    shop.act(
        {"action": "create_address", "customer_id": customer, "fields": {"city": "Austin"}},
        {"action": "update_customer", "id": customer, "attributes": {"size": "L"}},
    )
    [after] = shop.data("/v3/customers", include="addresses,attributes")
    assert after["date_modified"] == before
    assert after["addresses"][0]["city"] == "Austin"
    [name] = shop.data("/v3/customers/attributes")
    assert (after["attributes"][0]["attribute_id"], name["name"]) == (name["id"], "size")
    assert shop.data("/v3/customers/addresses", **{"customer_id:in": customer})[0]["city"] == "Austin"


def test_a_customer_shows_ten_addresses_and_attributes_and_lists_of_their_own_show_all(shop):
    details = {"addresses": [{"city": str(n)} for n in range(12)], "attributes": {f"a{n}": "v" for n in range(15)}}
    [one, _] = shop.act(
        {"action": "create_customer", "email": "a@example.com", **details},
        {"action": "create_customer", "email": "b@example.com", **details},
    )
    customer = shop.data("/v3/customers", include="addresses,attributes")[0]
    assert (customer["address_count"], len(customer["addresses"])) == (12, 10)
    assert (customer["attribute_count"], len(customer["attributes"])) == (15, 10)
    addresses = shop.data("/v3/customers/addresses", **{"customer_id:in": one["id"]})
    assert [address["city"] for address in addresses] == [str(n) for n in range(12)]
    values = shop.data("/v3/customers/attribute-values", **{"customer_id:in": one["id"]})
    assert (len(values), values[0].keys()) == (15, customer["attributes"][0].keys())


def test_subscribers_are_found_and_a_deleted_one_is_404(shop):
    one, two = shop.act(
        {"action": "create_subscriber", "email": "A@example.com"}, {"action": "create_subscriber", "email": "b@example.com", "consents": []}
    )
    assert [row["id"] for row in shop.data("/v3/customers/subscribers", email="a@example.com")] == [one["id"]]
    assert [row["consents"] for row in shop.data("/v3/customers/subscribers", **{"id:in": two["id"]})] == [[]]
    shop.act({"action": "update_subscriber", "id": two["id"], "fields": {"consents": ["abandoned_cart"]}})
    assert shop.data(f"/v3/customers/subscribers/{two['id']}")["consents"] == ["abandoned_cart"]
    shop.act({"action": "delete_subscriber", "id": two["id"]})
    assert shop.get(f"/v3/customers/subscribers/{two['id']}").status_code == 404


# carts


def test_a_cart_adds_up_and_its_version_rises(shop):
    cart = shop.act({"action": "create_cart", "lines": [LINE, {**LINE, "variant_id": 6, "sale_price": "9.50", "quantity": 1}]})[0]["id"]
    first = shop.data(f"/v3/carts/{cart}")
    assert (first["base_amount"], first["cart_amount"], first["version"]) == (30.5, 33.55, 1)
    shop.act({"action": "apply_coupon", "cart_id": cart, "coupon": {"code": "TEN", "percent": 10}})
    then = shop.data(f"/v3/carts/{cart}")
    assert (then["coupons"][0]["discounted_amount"], then["cart_amount"], then["version"]) == (3.05, 30.2, 2)


def test_a_cart_that_became_an_order_or_was_deleted_is_404(shop):
    cart, other = shop.act({"action": "create_cart", "lines": [LINE]}, {"action": "create_cart", "lines": [LINE]})
    shop.act({"action": "checkout", "cart_id": cart["id"]}, {"action": "delete_cart", "cart_id": other["id"]})
    assert shop.get(f"/v3/carts/{cart['id']}").status_code == 404
    assert shop.get(f"/v3/carts/{other['id']}").status_code == 404


# orders


def test_lists_leave_out_incomplete_and_archived_orders(shop):
    placed, incomplete, archived = place(shop), place(shop, status=0), place(shop)
    shop.act({"action": "archive_order", "id": archived})

    def ids(**params):
        return [order["id"] for order in shop.get("/v2/orders", **params).json()]

    assert ids() == [placed]
    assert ids(status_id=0) == [incomplete]
    assert ids(is_deleted="true") == [archived]
    assert shop.get(f"/v2/orders/{archived}").json()["is_deleted"] is True
    assert shop.get(f"/v2/orders/{incomplete}").json()["status_id"] == 0
    assert shop.get("/v2/orders/count").json()["count"] == 1


def test_orders_are_found_by_range_cart_customer_email_and_status(shop):
    customer = shop.act({"action": "create_customer", "email": "c@example.com"})[0]["id"]
    first, second = place(shop, billing={"email": "X@example.com"}), place(shop, status=2)
    third = shop.act({"action": "create_order", "lines": [LINE], "customer_id": customer})[0]["id"]
    cart = shop.get(f"/v2/orders/{second}").json()["cart_id"]
    for params, wanted in (
        ({"min_id": second}, [second, third]),
        ({"max_id": second, "min_id": second}, [second]),
        ({"cart_id": cart}, [second]),
        ({"customer_id": customer}, [third]),
        ({"email": "x@example.com"}, [first]),
        ({"status_id": 2}, [second]),
        ({"sort": "id:desc", "limit": 2}, [third, second]),
        ({"limit": 2, "page": 2}, [third]),
    ):
        assert [order["id"] for order in shop.get("/v2/orders", **params).json()] == wanted, params


def test_an_empty_list_of_orders_is_204_without_a_body(shop):
    answer = shop.get("/v2/orders")
    assert (answer.status_code, answer.content) == (204, b"")
    order = place(shop)
    assert shop.get(f"/v2/orders/{order}/coupons").status_code == 204
    assert shop.get("/v2/orders", page=2).status_code == 204


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S +0000", "%Y-%m-%dT%H:%M:%SZ"])
def test_orders_are_filtered_and_sorted_by_their_change(shop, form):
    shop.knobs(clock_offset_ms=-DAY_MS)
    old, touched = place(shop), place(shop)
    shop.knobs(clock_offset_ms=0)
    shop.act({"action": "set_order_status", "id": touched, "status": 2})
    since = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC).strftime(form)
    assert [order["id"] for order in shop.get("/v2/orders", min_date_modified=since).json()] == [touched]
    assert [order["id"] for order in shop.get("/v2/orders", max_date_modified=since).json()] == [old]
    assert [order["id"] for order in shop.get("/v2/orders", sort="date_modified:desc").json()] == [touched, old]


def test_lines_sit_in_the_four_places_of_consignments(shop):
    kinds = [
        LINE,
        {**LINE, "type": "digital"},
        {"type": "gift_certificate", "price": 20, "recipient_email": "r@example.com"},
        {**LINE, "type": "custom"},
    ]
    order = place(shop, lines=kinds)
    params = {"include": "consignments.line_items", "consignment_structure": "object"}
    lines = {line["id"]: line for line in shop.get(f"/v2/orders/{order}/products").json()}
    found = shop.get(f"/v2/orders/{order}", **params).json()["consignments"]
    assert found == shop.get("/v2/orders", **params).json()[0]["consignments"]
    places = [found["shipping"], found["downloads"], found["email"]["gift_certificates"], found["pickups"]]
    types = [[line["type"] for consignment in place for line in consignment["line_items"]] for place in places]
    assert types == [["physical", "physical"], ["digital"], ["giftcertificate"], []]
    assert {line["id"]: line for place in places for consignment in place for line in consignment["line_items"]} == lines
    assert found["email"]["gift_certificates"][0]["recipient_email"] == "r@example.com"
    assert "url" in shop.get(f"/v2/orders/{order}").json()["consignments"]
    linked = shop.get(f"/v2/orders/{order}", include="consignments", consignment_structure="object").json()["consignments"]
    assert linked["downloads"][0]["line_items"][0]["resource"].startswith(f"/orders/{order}/products/")
    assert isinstance(shop.get(f"/v2/orders/{order}", include="consignments").json()["consignments"], list)


def test_what_is_picked_up_sits_in_pickups(shop):
    order = place(shop, pickup=True)
    found = shop.get(f"/v2/orders/{order}/consignments", include="line_items").json()
    assert found["shipping"] == []
    assert documented("orders_v2_consignments.json")["pickups"][0].keys() == found["pickups"][0].keys()


def test_knob_single_as_object(shop):
    order = place(shop)
    shop.knobs(single_as_object=1)
    found = shop.get(f"/v2/orders/{order}", include="consignments.line_items", consignment_structure="object").json()["consignments"]
    assert found["shipping"]["line_items"]["product_id"] == 77
    assert found["downloads"] == []


def test_an_orders_amounts_add_up(shop):
    cart, _, order = shop.act(
        {"action": "create_cart", "lines": [LINE, {**LINE, "variant_id": 6, "price": "3.33"}, {**LINE, "variant_id": 7, "price": "7"}]},
        {"action": "apply_coupon", "cart_id": "$0.id", "coupon": {"code": "THIRD", "percent": "33"}},
        {"action": "checkout", "cart_id": "$0.id", "shipping_cost": "4.50", "discount": "1"},
    )
    body = shop.get(f"/v2/orders/{order['id']}").json()
    lines = shop.get(f"/v2/orders/{order['id']}/products").json()
    [coupon] = shop.get(f"/v2/orders/{order['id']}/coupons").json()

    def total(key, rows=lines):
        return sum(Decimal(row[key]) for row in rows)

    assert total("total_inc_tax") == Decimal(body["subtotal_inc_tax"])
    assert total("total_ex_tax") + total("total_tax") == total("total_inc_tax")
    discounts = Decimal(body["coupon_discount"]) + Decimal(body["discount_amount"])
    assert total("total_inc_tax") - total("discounted_total_inc_tax") == discounts
    assert Decimal(body["total_inc_tax"]) == total("discounted_total_inc_tax") + Decimal(body["shipping_cost_inc_tax"])
    assert Decimal(body["total_ex_tax"]) + Decimal(body["total_tax"]) == Decimal(body["total_inc_tax"])
    by_code = [share for line in lines for share in line["applied_discounts"] if share["code"] == "THIRD"]
    assert total("amount", by_code) == Decimal(body["coupon_discount"]) == Decimal(str(coupon["discount"]))
    assert body["items_total"] == sum(line["quantity"] for line in lines)
    assert body["cart_id"] == cart["id"]


def test_an_order_in_another_currency_names_its_rate(shop):
    cart = {"action": "create_cart", "lines": [LINE], "currency": "EUR"}
    order = shop.get(f"/v2/orders/{shop.act(cart, {'action': 'checkout', 'cart_id': '$0.id'})[1]['id']}").json()
    assert (order["default_currency_code"], order["store_default_currency_code"]) == ("EUR", "USD")
    assert order["store_default_to_transactional_exchange_rate"] == "0.8000000000"
    assert "error" in shop.try_to({"action": "create_cart", "lines": [LINE], "currency": "CHF"})[0]


def test_a_manual_order_has_no_cart_and_a_guests_customer_is_0(shop):
    order = shop.get(f"/v2/orders/{shop.act({'action': 'create_order', 'lines': [LINE]})[0]['id']}").json()
    assert (order["cart_id"], order["customer_id"], order["order_source"], order["status_id"]) == (None, 0, "manual", 11)


# access, errors, clock


def test_errors_have_the_shape_of_their_version(shop):
    assert shop.get("/v2/orders/7").json() == [{"status": 404, "message": "The requested resource was not found."}]
    assert shop.get("/v3/carts/nothing").json()["status"] == 404
    assert shop.get("/v3/unheard-of").status_code == 404
    assert shop.get("/v3/customers", **{"id:in": "x"}).status_code == 422


def test_a_wrong_token_is_401_and_a_scope_taken_away_403(shop):
    shop.change(forbidden=["orders"])
    assert shop.get("/v2/orders").status_code == 403
    assert shop.get("/v3/customers").status_code == 200
    shop.change(access_token="new")
    assert shop.get("/v3/customers").status_code == 401
    assert shop.client.get("/stores/nosuch/v2/store").status_code == 401


def test_answers_and_entities_bear_the_simulators_clock(shop):
    shop.knobs(clock_offset_ms=-400 * DAY_MS)
    shop.act({"action": "create_subscriber", "email": "a@example.com"})
    answer = shop.get("/v3/customers/subscribers")
    at = parsedate_to_datetime(answer.headers["date"])
    assert at.timestamp() < datetime.now(UTC).timestamp() - 399 * 86_400
    assert answer.json()["data"][0]["date_created"].startswith(at.strftime("%Y-%m-%d"))
    assert shop.get("/v2/time").json()["time"] == pytest.approx(at.timestamp(), abs=60)


# long listings


@pytest.mark.parametrize("kind", ["customer", "subscriber"])
def test_a_listing_shows_each_change_at_once(shop, kind):
    path = "/v3/customers" if kind == "customer" else "/v3/customers/subscribers"
    made = shop.act(*({"action": f"create_{kind}", "email": f"{number}@example.com"} for number in range(3)))
    for _ in range(2):
        assert len(shop.data(path)) == 3
    shop.act({"action": f"update_{kind}", "id": made[1]["id"], "fields": {"first_name": "Jane"}})
    assert [row["first_name"] for row in shop.data(path)] == ["", "Jane", ""]
    shop.act({"action": f"delete_{kind}", "id": made[0]["id"]})
    assert [row["id"] for row in shop.data(path)] == [made[1]["id"], made[2]["id"]]
    shop.raw(kind, made[2]["id"], b'{"id": 3, "first_name": "raw"}')
    assert [row["first_name"] for row in shop.data(path)] == ["Jane", "raw"]


def test_a_listing_shows_a_change_that_reads_see_late(shop):
    [made] = shop.act({"action": "create_subscriber", "email": "a@example.com"})
    shop.knobs(read_lag_ms=300)
    shop.act({"action": "update_subscriber", "id": made["id"], "fields": {"first_name": "Jane"}})
    shop.until(lambda: shop.data("/v3/customers/subscribers")[0]["first_name"] == "Jane", "the change was seen")


def test_a_cursor_goes_through_what_filters_let_through(shop):
    shop.knobs(clock_offset_ms=-DAY_MS)
    shop.act(*({"action": "create_customer", "email": f"old{number}@example.com"} for number in range(3)))
    shop.knobs(clock_offset_ms=0)
    ids = [made["id"] for made in shop.act(*({"action": "create_customer", "email": f"{number}@example.com"} for number in range(5)))]
    since = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    found, after = [], None
    while True:
        answer = shop.get("/v3/customers", limit=2, **{"date_created:min": since}, **({"after": after} if after else {})).json()
        if not answer["data"]:
            break
        found += [customer["id"] for customer in answer["data"]]
        after = answer["meta"]["cursor_pagination"]["end_cursor"]
    assert found == ids
    assert answer["meta"]["pagination"]["total"] == 5


def test_orders_are_listed_from_either_end_and_counted_by_their_change(shop):
    shop.knobs(clock_offset_ms=-DAY_MS)
    old = place(shop)
    shop.knobs(clock_offset_ms=0)
    first, second, third = place(shop), place(shop), place(shop)
    since = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")

    def ids(**params):
        return [order["id"] for order in shop.get("/v2/orders", **params).json()]

    assert ids(sort="id:desc", max_id=second) == [second, first, old]
    assert ids(sort="id:asc", min_id=first, limit=2, page=2) == [third]
    assert ids(sort="id:desc", min_date_modified=since) == [third, second, first]
    assert shop.get("/v2/orders/count", min_date_modified=since).json()["count"] == 3
    assert shop.get("/v2/orders").headers["x-rate-limit-requests-quota"] == "1000"
