"""Where the data of a deleted person still stands, on real processes: in no row and no log, and on no topic for longer than its bound."""

import asyncio
import itertools

import httpx
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.demo.deployment import Deployment
from schemas.connection import admin_client, read_topic
from schemas.keys import changelog
from schemas.topics import DAY_MS, PEOPLE, RETENTION_MS, STAGES, TOPICS, group
from tests.system.conftest import act, rest

pytestmark = pytest.mark.system

PERSONAL = ("zebedee.quux@example.com", "Zebedee", "Quuxstreet", "+4917755512345")
CHANGELOGS = [changelog(group("", "resolve"), topic.table) for topic in STAGES["resolve"]]
LAG_MS = 1000  # in truth a day: no test has time for that


def personal(text: bytes) -> list[str]:
    return [word for word in PERSONAL if word.lower().encode() in text.lower()]


async def rows(deployment: Deployment) -> dict[tuple[str, bytes], bytes]:
    """All tables as they are now: the last record of each key."""
    return {(name, r.key): r.value or b"" for name in CHANGELOGS for r in await read_topic(deployment.settings, name)}


async def holds(deployment: Deployment, topic: str) -> list[str]:
    """What of the person any record of a topic holds; its keys never do."""
    records = await read_topic(deployment.settings, topic)
    assert personal(b" ".join(r.key or b"" for r in records)) == []
    return personal(b" ".join(r.value or b"" for r in records))


async def shorten_compaction(deployment: Deployment) -> None:
    """From a day, as the engine sets it, to LAG_MS."""
    names = ("segment.ms", "max.compaction.lag.ms")
    async with admin_client(deployment.settings) as admin:
        for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in CHANGELOGS]):
            for resource in answer.resources:
                found = {entry[0]: entry[1] for entry in resource[4]}
                assert [found[name] for name in ("cleanup.policy", *names)] == ["compact", str(DAY_MS), str(DAY_MS)]
        settings = {"cleanup.policy": "compact"} | dict.fromkeys(names, str(LAG_MS))
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=settings) for name in CHANGELOGS])


async def test_a_deleted_person_is_in_no_row_and_no_log_and_on_topics_only_as_long_as_they_say(deployment: Deployment):
    email, name, street, phone = PERSONAL
    address = {"address1": f"17 {street}", "city": "Bonn", "country_code": "DE", "first_name": name, "last_name": "Q", "phone": phone}
    line = {"product_id": 7, "variant_id": 70, "sku": "S7", "name": "Seven", "price": "5"}
    async with deployment.parts():
        await shorten_compaction(deployment)
        billing = {"email": email, "first_name": name, "street_1": street}
        customer, subscriber = act(
            deployment,
            {"action": "create_customer", "email": email, "first_name": name, "phone": phone, "addresses": [address]},
            {"action": "create_subscriber", "email": email, "first_name": name},
        )
        act(
            deployment,
            {"action": "create_cart", "email": f" {email.upper()}", "lines": [line]},
            {"action": "create_order", "customer_id": customer["id"], "billing": billing, "lines": [line]},
            {"action": "create_order", "billing": billing, "lines": [line]},
        )
        await rest(deployment)
        assert personal(b"".join((await rows(deployment)).values())), "nothing to look for"

        act(deployment, {"action": "delete_customer", "id": customer["id"]}, {"action": "delete_subscriber", "id": subscriber["id"]})
        await rest(deployment)
        assert {place: found for place, row in (await rows(deployment)).items() if (found := personal(row))} == {}
        assert {log.name: found for log in deployment.folder.glob("*.log") if (found := personal(log.read_bytes()))} == {}
        assert personal(httpx.get(f"{deployment.settings.public_url}/metrics").raise_for_status().content) == []

        bounded = {topic.name for topic in TOPICS if topic.config(1).get("retention.ms") == str(RETENTION_MS)}
        held = {topic.name for topic in TOPICS if await holds(deployment, topic.name)}
        assert PEOPLE.name in held
        assert held <= bounded

        # Old versions of rows go when others are written behind them and the broker compacts, every 15 s or so.
        numbers = itertools.count()
        async with asyncio.timeout(120):
            while [name for name in CHANGELOGS if await holds(deployment, name)]:
                others = [f"later{next(numbers)}@example.com" for _ in range(8)]
                act(deployment, *({"action": f"create_{kind}", "email": other} for other in others for kind in ("customer", "subscriber")))
                await asyncio.sleep(2)
