"""Quota, REST faults, read lag, raw bodies (docs/facts/bigcommerce.md 2.2, 6)."""

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from simulators.bigcommerce import shop as shop_module
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.shop import Store

LINE = {"product_id": 77, "variant_id": 5, "name": "Towel", "price": "10"}


def test_a_spent_quota_is_429_with_headers_until_the_window_ends(shop):
    shop.change(quota=3)
    shop.knobs(quota_window_ms=1000)

    def answered(status):
        answer = shop.get("/v2/time")
        return answer if answer.status_code == status else None

    spent = shop.until(lambda: answered(429), "a spent quota")
    assert spent.headers["x-rate-limit-requests-left"] == "0"
    assert 0 < int(spent.headers["x-rate-limit-time-reset-ms"]) <= 1000
    assert (spent.headers["x-rate-limit-requests-quota"], spent.headers["x-rate-limit-time-window-ms"]) == ("3", "1000")
    assert shop.until(lambda: answered(200), "a new window").headers["x-rate-limit-requests-left"] == "2"


def test_the_quota_counts_down_for_all_calls_of_a_store(shop):
    left = [int(shop.get(path).headers["x-rate-limit-requests-left"]) for path in ("/v2/time", "/v3/customers", "/v3/hooks")]
    assert left == [999, 998, 997]


def test_a_throttled_call_is_429_without_headers(shop):
    shop.knobs(throttle=1)
    answer = shop.get("/v2/orders")
    assert answer.status_code == 429
    assert not [name for name in answer.headers if name.startswith("x-rate-limit")]


def test_a_failing_platform_answers_5xx(shop):
    shop.knobs(error_5xx=1)
    assert {shop.get("/v2/orders").status_code for _ in range(30)} == {500, 502, 503, 504}


def test_a_chance_hits_some_calls_and_not_others(shop):
    shop.knobs(error_5xx=0.5)
    assert len({shop.get("/v2/time").status_code < 500 for _ in range(60)}) == 2


def test_a_slow_answer_outlasts_a_clients_patience(shop):
    shop.knobs(slow=1, slow_ms=10_000_000)
    with pytest.raises(httpx.ReadTimeout):
        shop.client.get(f"/stores/{shop.hash}/v2/time", headers=shop.headers, timeout=0.2)


def test_a_call_hangs_after_the_work_is_done(shop):
    shop.knobs(hang=1)
    hook = {"scope": "store/order/created", "destination": "https://app.example.com/webhooks"}
    with pytest.raises(httpx.ReadTimeout):
        shop.client.post(f"/stores/{shop.hash}/v3/hooks", json=hook, headers=shop.headers, timeout=0.5)
    shop.knobs(hang=0)
    assert len(shop.data("/v3/hooks")) == 1


def test_faults_are_counted_by_endpoint(shop):
    def counted():
        return shop.client.get("/_sim/counters").json()["faults"].get("GET /v2/orders throttle", 0)

    before = counted()
    shop.knobs(throttle=1)
    shop.get("/v2/orders")
    assert counted() == before + 1


def test_a_connection_breaks_after_the_work_is_done(shop):
    shop.knobs(drop_connection=1)
    with pytest.raises(httpx.RemoteProtocolError):
        shop.hook("store/order/created", "https://app.example.com/webhooks")
    shop.knobs(drop_connection=0)
    assert len(shop.data("/v3/hooks")) == 1


def test_a_knob_that_is_unknown_or_out_of_range_is_refused(shop):
    assert shop.client.put("/_sim/knobs", json={"dupplicate": 1}).status_code == 400
    assert shop.client.put("/_sim/knobs", json={"duplicate": 2}).status_code == 400


def test_reads_lag_behind_changes(shop):
    customer = shop.act({"action": "create_customer", "email": "a@example.com", "first_name": "Old"})[0]["id"]
    shop.knobs(read_lag_ms=60_000_000)
    shop.act(
        {"action": "update_customer", "id": customer, "fields": {"first_name": "New"}},
        {"action": "create_order", "lines": [LINE]},
        {"action": "create_cart", "lines": [LINE]},
    )
    assert shop.data("/v3/customers")[0]["first_name"] == "Old"
    stale = shop.client.get("/_sim/counters").json()["stale_reads"]
    assert shop.get("/v3/customers", **{"id:in": customer}).json()["data"][0]["first_name"] == "Old"
    assert shop.client.get("/_sim/counters").json()["stale_reads"] == stale + 1
    assert shop.get(f"/v2/orders/{shop.truth('order')[0]['id']}").status_code == 404
    assert shop.get("/v2/orders").status_code == 204
    assert shop.get(f"/v3/carts/{shop.truth('cart')[0]['id']}").status_code == 404
    shop.knobs(read_lag_ms=200)
    shop.act({"action": "update_customer", "id": customer, "fields": {"first_name": "Newer"}})
    shop.until(lambda: shop.data("/v3/customers")[0]["first_name"] == "Newer", "the new state")
    shop.act({"action": "delete_customer", "id": customer})
    shop.until(lambda: shop.data("/v3/customers") == [], "the deletion")


@pytest.mark.parametrize(
    ("kind", "entity_id", "path", "one", "listed"),
    [
        ("customer", 7, "/v3/customers?id:in=7", '{{"data":[{raw}]', '{{"data":[{raw}]'),
        ("subscriber", 7, "/v3/customers/subscribers/7", '{{"data":{raw}', '{{"data":[{raw}]'),
        ("cart", "some-cart", "/v3/carts/some-cart", '{{"data":{raw}', None),
        ("order", 700, "/v2/orders/700", "{raw}", "[{raw}]"),
    ],
)
@pytest.mark.parametrize("raw", ['{"id" : 7,  "odd": [1.10]}', '{"id":7,'])
def test_a_raw_body_is_served_byte_for_byte(shop, kind, entity_id, path, one, listed, raw):
    shop.raw(kind, entity_id, raw.encode())
    assert shop.call("GET", path).text.startswith(one.format(raw=raw))
    if listed:
        folder = {"customer": "/v3/customers", "subscriber": "/v3/customers/subscribers", "order": "/v2/orders"}[kind]
        assert shop.get(folder).text.startswith(listed.format(raw=raw))
    assert shop.client.delete(f"/_sim/raw/{kind}/{entity_id}", params={"store": shop.hash}).status_code == 200
    answer = shop.call("GET", path)
    assert answer.status_code == 404 or answer.json()["data"] == []


def test_a_list_that_was_made_before_a_change_was_seen_is_not_kept(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(shop_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    shop = shop_module.Shop(Store(hash="a", store_id=1, access_token="t"), Knobs(read_lag_ms=1000), lambda: 0, lambda *_: None, 7)
    shop.put("subscriber", 1, {"id": 1, "email": "a@example.com"})

    def made_while_the_change_comes_to_be_seen() -> list[Any]:
        rows = list(shop.all("subscriber"))
        now_s[0] += 1
        return rows

    assert shop.listed("all", made_while_the_change_comes_to_be_seen) == []
    assert [id for id, _ in shop.listed("all", lambda: list(shop.all("subscriber")))] == [1]
