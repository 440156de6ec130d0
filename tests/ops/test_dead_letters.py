from ops.topics import create_topics
from schemas.connection import kafka_options, producer
from schemas.dead_letters import DeadLetter
from schemas.records import Origin, encode, headers_of
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS
from tests.ops.conftest import Run


def letter(number: int, at_ms: int, field: str = "") -> DeadLetter:
    return DeadLetter(
        id=f"bigcommerce.webhooks/0/{number}",
        store="abc123.1",
        stage="fetch",
        topic="bigcommerce.webhooks",
        partition=0,
        offset=number,
        key=f"abc123.1/order/{number}",
        reason="not JSON",
        field=field,
        times=number,
        at_ms=at_ms,
        value=b"{\xff",
        headers=[("schema", b"webhook-received/1")],
    )


async def send(settings: Settings, *letters: DeadLetter) -> None:
    sender = producer(kafka_options(settings))
    await sender.start()
    topic = settings.topic_prefix + DEAD_LETTERS.name
    for one in letters:
        headers = list(headers_of(one, Origin(cause="", observed_at_ms=one.at_ms)))
        await sender.send_and_wait(topic, encode(one), key=one.key.encode(), headers=headers)
    await sender.send_and_wait(topic, b"?", key=b"k", headers=[("schema", b"dead-letter/99")])
    await sender.stop()


async def test_dead_letters_are_listed_with_their_reasons_the_newest_last(run: Run, settings: Settings):
    await create_topics(settings)
    assert run("dead-letters", "list", "--json").json == []
    await send(settings, letter(2, 1_700_000_000_000, field="total"), letter(1, 1_600_000_000_000), letter(3, 1_650_000_000_000))

    ran = run("dead-letters", "list", "--json")
    assert ran.code == 0, ran.err
    assert [row["times"] for row in ran.json] == [1, 3, 2]
    assert ran.json[-1] == {
        "id": "bigcommerce.webhooks/0/2",
        "store": "abc123.1",
        "stage": "fetch",
        "topic": "bigcommerce.webhooks",
        "key": "abc123.1/order/2",
        "reason": "total: not JSON",
        "times": 2,
        "at": "2023-11-14T22:13:20Z",
    }
    assert "a dead letter cannot be read" in ran.err

    of_another_count = run("dead-letters", "list", "--json", partitions="1")
    assert of_another_count.json == ran.json

    shown = run("dead-letters", "list").out
    assert "bigcommerce.webhooks/0/2" in shown
    assert max(map(len, shown.splitlines())) <= 100
