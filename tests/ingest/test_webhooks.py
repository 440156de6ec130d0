"""The door of the real process, on a real Kafka: each answer, and what it leaves on the topic."""

import asyncio
import re
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.records import Decoder, origin_of
from schemas.topics import WEBHOOKS
from schemas.webhooks import WebhookReceived
from tests.ingest.process import (
    ANSWER_S_MAX,
    WEBHOOK_SECRET,
    IngestProcess,
    add_stores,
    create_topics,
    read_webhooks,
    settings_of,
    signed,
    store,
    webhook,
)

OWN_CLIENT_SECRET = "the-stores-own-client-secret"
STORES = (
    store("abc.1"),
    store("own.1", client_secret=OWN_CLIENT_SECRET),
    store("paused.1", paused=True),
    store("removed.1", removed=True),
    store("again.1", removed=True),
    store("again.2"),
)
HOUR_S = 3600


@pytest.fixture(scope="module")
def ingest(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngestProcess]:
    """One process for all tests here; each test uses ids of its own."""
    made = settings_of(kafka, f"t{uuid.uuid4().hex[:10]}.")
    asyncio.run(create_topics(made))
    asyncio.run(add_stores(made, STORES))
    process = IngestProcess(made, tmp_path_factory.mktemp("ingest") / "log").start()
    try:
        process.wait_for("/readyz")
        yield process
    finally:
        assert process.stop() == 0


def records_under(ingest: IngestProcess, key: str) -> list[tuple[WebhookReceived, dict[str, bytes]]]:
    decoder = Decoder(WEBHOOKS.messages)
    return [
        (decoder.decode(record.value, record.headers), dict(record.headers))
        for record in asyncio.run(read_webhooks(ingest.settings))
        if record.key == key.encode()
    ]


def test_a_webhook_that_was_answered_200_is_on_the_topic_as_it_came(ingest: IngestProcess):
    body = webhook("abc", id=1001)
    before_ms = time.time_ns() // 1_000_000
    answer = ingest.deliver("abc", body)
    assert (answer.status_code, answer.content) == (200, b"")
    [(record, headers)] = records_under(ingest, "abc.1/product/1001")
    assert record == WebhookReceived(
        store="abc.1",
        resource="product",
        id="1001",
        scope="store/product/updated",
        received_at_ms=record.received_at_ms,
        body=body.decode(),
    )
    assert before_ms <= record.received_at_ms <= time.time_ns() // 1_000_000
    assert headers == {"schema": b"webhook-received/1", "observed_at": b"%d" % record.received_at_ms}
    assert origin_of("t", 0, 7, 0, headers.items()).cause == "t/0/7"


@pytest.mark.parametrize(
    ("store_hash", "headers", "key"),
    [
        ("abc", {"x-cartstream-secret": WEBHOOK_SECRET}, "abc.1"),
        ("abc", signed(webhook("abc", id=1002)), "abc.1"),
        ("own", signed(webhook("own", id=1002), key=OWN_CLIENT_SECRET), "own.1"),
        ("paused", signed(webhook("paused", id=1002)), "paused.1"),
        ("again", signed(webhook("again", id=1002)), "again.2"),
    ],
    ids=["by the secret header", "by the app's client secret", "by the store's own", "of a paused store", "of a store's second life"],
)
def test_a_delivery_is_taken(ingest: IngestProcess, store_hash: str, headers: dict[str, str], key: str):
    before = len(records_under(ingest, f"{key}/product/1002"))
    assert ingest.deliver(store_hash, webhook(store_hash, id=1002), headers).status_code == 200
    assert len(records_under(ingest, f"{key}/product/1002")) == before + 1


REFUSED = webhook("abc", id=1003)
REFUSALS = {
    "of an unknown store": ("nobody", REFUSED, signed(REFUSED), 404, "unknown store"),
    "of a removed store": ("removed", webhook("removed"), signed(webhook("removed")), 404, "unknown store"),
    "with nothing to prove it": ("abc", REFUSED, {}, 401, "no proof"),
    "with a wrong signature": ("abc", REFUSED, signed(REFUSED + b" "), 401, "wrong signature"),
    "signed with the app's secret where the store has its own": ("own", webhook("own"), signed(webhook("own")), 401, "wrong signature"),
    "with a wrong secret": ("abc", REFUSED, {"x-cartstream-secret": "wrong"}, 401, "wrong secret"),
    "stamped an hour ahead": ("abc", REFUSED, signed(REFUSED, age_s=-HOUR_S), 401, "stamp ahead"),
    "stamped fifty hours ago": ("abc", REFUSED, signed(REFUSED, age_s=50 * HOUR_S), 401, "stamp too old"),
    "stamped with no time": ("abc", REFUSED, signed(REFUSED) | {"webhook-timestamp": "now"}, 401, "malformed stamp"),
    "that was another store's": ("again", REFUSED, signed(REFUSED), 401, "another store's"),
    "that is no JSON": ("abc", b"{", signed(b"{"), 400, "not JSON"),
    "that is a JSON array": ("abc", b"[]", signed(b"[]"), 400, "not a JSON object"),
    "that is empty": ("abc", b"", signed(b""), 400, "not JSON"),
    "that is too large": ("abc", b" " * 64 * 1024 + REFUSED, {}, 413, "body over 64 kB"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_delivery_is_refused(ingest: IngestProcess, case: str):
    store_hash, body, headers, status, reason = REFUSALS[case]
    name = {"nobody": "", "removed": ""}.get(store_hash, "again.2" if store_hash == "again" else f"{store_hash}.1")
    sample = f'cartstream_webhooks_total{{outcome="{reason}",store="{name}"}}'
    records, counted = len(asyncio.run(read_webhooks(ingest.settings))), ingest.metric(sample)
    answer = ingest.deliver(store_hash, body, headers)
    assert (answer.status_code, answer.text) == (status, f"{reason}\n")
    assert ingest.metric(sample) == counted + 1
    assert len(asyncio.run(read_webhooks(ingest.settings))) == records


def test_a_chunked_body_without_end_is_refused_before_it_ends(ingest: IngestProcess):
    host, port = ingest.settings.listen.split(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_S_MAX) as connection:
        connection.sendall(b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.sendall((b"10000\r\n" + b"x" * 0x10000 + b"\r\n") + b"1\r\nx\r\n")  # and never the last chunk
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for(ingest: IngestProcess):
    host, port = ingest.settings.listen.split(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_S_MAX) as connection:
        connection.sendall(b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_sender_that_hangs_up_is_counted(ingest: IngestProcess):
    host, port = ingest.settings.listen.split(":")
    sample = 'cartstream_webhooks_total{outcome="hung up",store="abc.1"}'
    before = ingest.metric(sample)
    with socket.create_connection((host, int(port)), timeout=ANSWER_S_MAX) as connection:
        connection.sendall(b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
    deadline = time.monotonic() + 30
    while ingest.metric(sample) == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_old_stamp_is_taken_and_counted(ingest: IngestProcess):
    before = ingest.metric('cartstream_webhooks_old_stamp_total{store="abc.1"}')
    body = webhook("abc", id=1004)
    assert ingest.deliver("abc", body, signed(body, age_s=48 * HOUR_S)).status_code == 200
    assert ingest.metric('cartstream_webhooks_old_stamp_total{store="abc.1"}') == before + 1


def test_a_scope_that_is_not_tracked_is_kept_and_counted(ingest: IngestProcess):
    body = webhook("abc", scope="store/category/created", id=42)
    assert ingest.deliver("abc", body).status_code == 200
    assert (records_under(ingest, "abc.1/other/-")[-1][0].body) == body.decode()
    assert ingest.metric('cartstream_webhooks_untracked_total{scope="store/category/created"}') == 1


UNUSUAL = {
    "a scope that nobody knows": ({"scope": "store/wishlist/shared", "data": {"type": "wishlist", "id": 7}}, "other/-"),
    "a scope of a channel": ({"scope": "store/channel/3/order/created", "data": {"order_id": 4711}}, "order/4711"),
    "a channel's scope that is not tracked": ({"scope": "store/channel/3/settings/updated", "data": {"id": 3}}, "other/-"),
    "data that is an array": ({"scope": "store/priceList/records/updated", "data": [{"price_list_id": 1, "variant_id": 2}]}, "other/-"),
    "data of a tracked scope that is an array": ({"scope": "store/order/updated", "data": [{"id": 4712}]}, "other/-"),
    "a store id that is a number": ({"scope": "store/order/updated", "data": {"id": 4713}, "store_id": 1025646}, "order/4713"),
    "no data": ({"scope": "store/order/updated"}, "other/-"),
    "no scope": ({"data": {"type": "order", "id": 4714}}, "other/-"),
    "no id": ({"scope": "store/customer/updated", "data": {"type": "customer"}}, "other/-"),
    "nothing at all": ({}, "other/-"),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_a_webhook_of_an_unusual_shape_is_kept_as_it_came_and_never_refused(ingest: IngestProcess, case: str):
    fields, place = UNUSUAL[case]
    body, key = orjson.dumps(fields), f"abc.1/{place}"
    scope = re.sub("[0-9]+", "0", str(fields.get("scope", "")))
    sample = f'cartstream_webhooks_untracked_total{{scope="{scope}"}}'
    kept, counted = len(records_under(ingest, key)), ingest.metric(sample)
    assert ingest.deliver("abc", body, {"x-cartstream-secret": WEBHOOK_SECRET}).status_code == 200
    records = records_under(ingest, key)
    assert (len(records), records[-1][0].body) == (kept + 1, body.decode())
    assert ingest.metric(sample) == counted + (place == "other/-")


def test_the_largest_body_reaches_the_topic_whole(ingest: IngestProcess):
    body = webhook("abc", id=1005, padding="")
    body = webhook("abc", id=1005, padding="\\" * ((64 * 1024 - len(body)) // 2))
    assert 64 * 1024 - 1 <= len(body) <= 64 * 1024
    assert ingest.deliver("abc", body).status_code == 200
    assert records_under(ingest, "abc.1/product/1005")[-1][0].body == body.decode()


def test_a_burst_is_taken_whole(ingest: IngestProcess):
    ids = range(20_000, 20_150)

    async def deliver_all() -> set[int]:
        async with httpx.AsyncClient(timeout=60) as client:
            bodies = [webhook("abc", id=id) for id in ids]
            answers = [client.post(f"{ingest.url}/webhooks/abc", content=body, headers=signed(body)) for body in bodies]
            return {answer.status_code for answer in await asyncio.gather(*answers)}

    assert asyncio.run(deliver_all()) == {200}
    keys = [record.key.decode() for record in asyncio.run(read_webhooks(ingest.settings))]
    assert sorted(key for key in keys if key.startswith("abc.1/product/20")) == sorted(f"abc.1/product/{id}" for id in ids)


def test_a_store_that_is_added_later_is_known_soon(ingest: IngestProcess):
    assert ingest.deliver("later", webhook("later")).status_code == 404
    asyncio.run(add_stores(ingest.settings, [store("later.1")]))
    deadline = time.monotonic() + 30
    while ingest.deliver("later", webhook("later")).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


NASTY = {
    "deep object": b'{"data":' * 7000 + b"1" + b"}" * 7000,
    "deep array": b"[" * 60_000,
    "not a number": b'{"data":{"id":NaN},"scope":"store/order/created"}',
    "infinity": b'{"created_at":1e999}',
    "bad UTF-8": b'{"scope":"store/order/created\xff"}',
    "lone surrogate": b'{"scope":"\\ud800","data":{"id":"\\udfff"}}',
    "huge integer": b'{"scope":"store/order/created","data":{"id":' + b"9" * 5000 + b'},"created_at":' + b"9" * 300 + b"}",
    "wrong types": b'{"scope":{"a":1},"data":[[1]],"producer":["stores/abc"],"hash":7,"created_at":"x","store_id":[]}',
    "control characters": b'{"scope":"\\u0000\\n","data":{"id":"\\u0000/../"},"producer":"stores/abc"}',
    "endless scope": b'{"scope":"' + b"store/" * 9000 + b'"}',
    "NUL bytes": b"\x00" * 1000,
}


@pytest.mark.parametrize("case", NASTY)
def test_a_nasty_body_gets_an_answer(ingest: IngestProcess, case: str):
    assert ingest.deliver("abc", NASTY[case]).status_code in {200, 400}
    assert ingest.status_of("/healthz") == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /webhooks/%ff%00%2f HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"POST /webhooks/abc/more HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"POST /webhooks/ HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"POST /webhooks/abc?\xff HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        b"GET /webhooks/abc HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"
        b"x-cartstream-secret: \xff\xfe\r\nwebhook-signature: v1,\xff v1, , v1\r\n\r\n{}",
        b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nx-cartstream-secret:  \r\nwebhook-signature:  \r\n\r\n{}",
        b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n{}",
        b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999999\r\n\r\n{}",
        b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /webhooks/abc HTTP/1.1\r\n\r\n",
        b"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_a_malformed_request_ends_nobody(ingest: IngestProcess, request_bytes: bytes):
    host, port = ingest.settings.listen.split(":")
    with socket.create_connection((host, int(port)), timeout=ANSWER_S_MAX) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert re.match(rb"HTTP/1.1 [234]\d\d |$", answer), answer
    assert ingest.status_of("/healthz") == 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "order_id", "customer_id", "cartId", "sku"]), inner),
    max_leaves=5,
)
bodies = st.binary(max_size=200) | st.builds(
    lambda scope, data, producer: webhook("abc", data=data, producer=producer) if scope is None else webhook("abc", scope, data=data),
    st.none() | st.sampled_from(["store/order/created", "store/channel/1/cart/updated", "store/", "a/b", "store/sku/deleted"]),
    anything,
    anything,
)


# What an HTTP client lets through; the rest stands above, as bytes.
header_values = st.binary(max_size=60).filter(lambda raw: not re.search(rb"[\x00-\x1f\x7f]", raw)).map(bytes.strip)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(body=bodies, header=header_values, is_signed=st.booleans())
def test_whatever_is_sent_the_answer_is_never_our_fault(
    ingest: IngestProcess, client: httpx.Client, body: bytes, header: bytes, is_signed: bool
):
    headers = signed(body) if is_signed else {"webhook-signature": header, "webhook-timestamp": header, "x-cartstream-secret": header}
    answer = client.post(f"{ingest.url}/webhooks/abc", content=body, headers=headers)
    assert answer.status_code in ({200, 400, 401} if is_signed else {401})


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=ANSWER_S_MAX) as client:
        yield client


def test_the_log_holds_no_secret_and_no_person(ingest: IngestProcess):
    person = webhook("abc", id=1006, email="jane@example.com")
    for headers in (signed(person), signed(person, key="wrong"), {"x-cartstream-secret": "wrong"}):
        ingest.deliver("abc", person, headers)
    log = ingest.log.read_text()
    assert "ingest listens" in log
    for private in ("jane@example.com", WEBHOOK_SECRET, OWN_CLIENT_SECRET, ingest.settings.secret_key.get_secret_value()):
        assert private not in log


async def test_what_is_in_flight_when_the_end_comes_is_answered_and_written(kafka: str, prefix: str, tmp_path: Path):
    made = settings_of(kafka, prefix)
    await create_topics(made)
    await add_stores(made, STORES)
    process = IngestProcess(made, tmp_path / "log").start()
    process.wait_for("/readyz")
    body = webhook("abc", id=7)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
    reader, writer = await asyncio.open_connection(*made.listen.split(":"))
    _, idle_writer = await asyncio.open_connection(*made.listen.split(":"))  # must not hold up the end
    writer.write(f"POST /webhooks/abc HTTP/1.1\r\nhost: x\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body[:5])
    await writer.drain()
    before = process.metric('cartstream_webhooks_total{outcome="accepted",store="abc.1"}')
    assert before == 0
    process.process.terminate()
    deadline = time.monotonic() + 30
    while process.status_of("/healthz") is not None:  # it takes no new connection any more
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    writer.write(body[5:])
    answer = await asyncio.wait_for(reader.read(1000), ANSWER_S_MAX)
    for each in (writer, idle_writer):
        each.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert process.join() == 0
    assert [record.key for record in await read_webhooks(made)] == [b"abc.1/product/7"]
