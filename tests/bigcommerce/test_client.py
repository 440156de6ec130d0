"""The client against the BigCommerce simulator."""

import asyncio
import time

import httpx
import pytest
import stamina

from bigcommerce.client import CALLS_AT_ONCE_MAX, BigCommerce, StoreApi
from bigcommerce.quota import LEFT, QUOTA, RESET
from schemas.failures import AccessLost, QuotaSpent, Reject, Unavailable
from tests.bigcommerce.conftest import Shop

CUSTOMERS = ("customers", "/v3/customers")


async def test_an_answer_carries_its_body_and_bigcommerces_time(shop: Shop, api: StoreApi):
    hour_ms = 3_600_000
    await shop.knobs(clock_offset_ms=-hour_ms)
    answer = await api.try_get(*CUSTOMERS)
    assert (answer.status, answer.body[:9]) == (200, b'{"data":[')
    assert abs(answer.read_at_ms + hour_ms - time.time() * 1000) < 60_000


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_token_and_a_missing_permission_are_lost_access(shop: Shop, api: StoreApi, status: int):
    await shop.knobs(forbidden_status=status)
    await shop.change(forbidden=["customers"])
    with pytest.raises(AccessLost):
        await api.get(*CUSTOMERS)
    assert await shop.calls() == {f"GET /v3/customers {status}": 1}
    shop.token = "revoked"
    with pytest.raises(AccessLost):
        await api.get("orders/one", "/v2/orders/1")


async def test_the_token_is_the_present_one_at_each_call(shop: Shop, api: StoreApi):
    shop.token, right = "revoked", shop.token
    with pytest.raises(AccessLost):
        await api.get(*CUSTOMERS)
    shop.token = right
    assert (await api.get(*CUSTOMERS)).status == 200


async def test_a_429_says_how_long_to_wait(shop: Shop, api: StoreApi):
    await shop.knobs(quota_window_ms=20_000)
    await shop.change(quota=0)
    with pytest.raises(QuotaSpent) as spent:
        await api.try_get(*CUSTOMERS)
    assert spent.value.after_s is not None
    assert 0 < spent.value.after_s <= 20


async def test_a_429_without_headers_says_nothing(shop: Shop, api: StoreApi):
    await shop.knobs(throttle=1)
    with pytest.raises(QuotaSpent) as spent:
        await api.try_get(*CUSTOMERS)
    assert spent.value.after_s is None


@pytest.mark.parametrize("fault", ["error_5xx", "drop_connection"])
async def test_what_may_work_later_is_unavailable(shop: Shop, api: StoreApi, fault: str):
    await shop.knobs(**{fault: 1})
    with pytest.raises(Unavailable):
        await api.try_get(*CUSTOMERS)


async def test_nobody_listening_is_unavailable():
    async with BigCommerce("http://127.0.0.1:9") as nobody:
        with pytest.raises(Unavailable):
            await StoreApi(nobody, "abc123", lambda: "token").try_get(*CUSTOMERS)


async def test_no_answer_in_time_is_unavailable(shop: Shop, api: StoreApi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bigcommerce.client.CALL_S_MAX", 0.05)
    await shop.knobs(slow=1, slow_ms=60_000)
    with pytest.raises(Unavailable):
        await api.try_get(*CUSTOMERS)


async def test_a_call_that_is_wrong_is_rejected(api: StoreApi):
    with pytest.raises(Reject):
        await api.get("customers", "/v3/customers", {"id:in": "none"})


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        *((status, Reject) for status in (400, 405, 406, 409, 413, 414, 415, 422)),
        *((status, Unavailable) for status in (402, 408, 410, 423, 451, 500, 502, 503, 504)),
    ],
)
async def test_only_a_call_that_is_wrong_in_itself_is_rejected(status: int, failure: type[Exception]):
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    async with BigCommerce("http://bigcommerce", transport) as bigcommerce:
        with pytest.raises(failure):
            await StoreApi(bigcommerce, "abc123", lambda: "token").try_get(*CUSTOMERS)


async def test_404_is_an_answer_only_where_it_may_be_one(api: StoreApi):
    assert (await api.get("orders/one", "/v2/orders/999", may_be_missing=True)).status == 404
    with pytest.raises(Unavailable):
        await api.try_get("orders/one", "/v2/orders/999")


async def test_faults_are_waited_out(shop: Shop, api: StoreApi):
    await shop.knobs(error_5xx=0.2, throttle=0.2, drop_connection=0.2, slow=0.2, slow_ms=20)
    with stamina.set_testing(True, attempts=100):  # no waits between tries
        assert [(await api.get(*CUSTOMERS)).status for _ in range(20)] == [200] * 20
    assert sum((await shop.calls()).values()) > 20


async def test_a_spent_quota_is_waited_out_and_nothing_is_asked_meanwhile(shop: Shop, api: StoreApi):
    await shop.knobs(quota_window_ms=600)
    await shop.change(quota=6)
    await asyncio.gather(*(api.get(*CUSTOMERS) for _ in range(14)))
    calls = await shop.calls()
    assert calls["GET /v3/customers 200"] == 14
    assert calls.get("GET /v3/customers 429", 0) <= CALLS_AT_ONCE_MAX


async def test_the_last_calls_of_a_window_are_spread_so_that_it_is_never_spent(shop: Shop, api: StoreApi):
    await shop.knobs(quota_window_ms=1500)
    await shop.change(quota=12)
    for _ in range(20):
        await api.get(*CUSTOMERS)
    assert (await shop.calls()).get("GET /v3/customers 429", 0) == 0


@pytest.mark.parametrize(
    "earlier",
    [httpx.Response(502), httpx.Response(200, json={}, headers={RESET: "900", LEFT: "140", QUOTA: "150"})],
    ids=["without headers", "with plenty left"],
)
async def test_the_answer_to_an_earlier_call_does_not_undo_the_wait_after_a_429(earlier: httpx.Response):
    begun, go_on = asyncio.Event(), asyncio.Event()
    asked_at: list[float] = []

    async def answer(_: httpx.Request) -> httpx.Response:
        asked_at.append(time.monotonic())
        if len(asked_at) == 1:
            begun.set()
            await go_on.wait()
            return earlier
        return httpx.Response(429, headers={RESET: "1500", LEFT: "0", QUOTA: "150"}) if len(asked_at) == 2 else httpx.Response(204)

    async with BigCommerce("http://bigcommerce", httpx.MockTransport(answer)) as bigcommerce:
        api = StoreApi(bigcommerce, "abc123", lambda: "token")
        first = asyncio.create_task(api.try_get(*CUSTOMERS))
        await begun.wait()
        with pytest.raises(QuotaSpent):
            await api.try_get(*CUSTOMERS)
        go_on.set()
        await asyncio.wait({first})
        assert first.exception() or first.result()
        await api.try_get(*CUSTOMERS)
    assert asked_at[2] - asked_at[1] >= 1.5
