"""Who has lapsed by the rows; what becomes of them stands in tests/system/test_daily.py."""

import time
from types import SimpleNamespace
from typing import Any, cast

from aiokafka.admin import NewTopic

from ops.lapse import UNDER_WAY_MS, anonymize_lapsed
from ops.reconcile import Sender
from ops.topics import create_topics
from schemas.connection import admin_client, kafka_options, producer
from schemas.directory import Directory
from schemas.keys import changelog
from schemas.people import Lapsed
from schemas.settings import Settings
from schemas.topics import PEOPLE, group
from streams.resolve.tables import ConsentSent, LiveAccount, Person, Profile, write_row
from tests.ops.records import written

DAY_MS = 24 * 60 * 60 * 1000


def directory(*stores: tuple[str, str, bool]) -> Directory:
    """Stores by name, project, and whether they were removed."""
    by_store = {name: SimpleNamespace(store=name, project=project, removed=removed, paused=False) for name, project, removed in stores}
    return cast(Directory, SimpleNamespace(by_store=by_store))


async def test_a_fact_is_written_about_each_who_has_lapsed_in_the_stores_project(settings: Settings):
    await create_topics(settings)
    now_ms = time.time_ns() // 1_000_000
    old, young = (ConsentSent("reject", now_ms - days * DAY_MS) for days in (31, 29))

    def row(**more: Any) -> bytes:
        return write_row(Profile(email="x@example.com", **more))

    rows = {
        "p/lapsed": row(persons={"": Person(consents={"bigcommerce": old})}),
        "p/young": row(persons={"": Person(consents={"bigcommerce": young})}),
        "p/consents": row(persons={"": Person(consents={"bigcommerce": ConsentSent("accept", old.at_ms)})}),
        "p/guest": row(persons={"": Person(email="x@example.com")}),
        "p/account": row(
            persons={"": Person(consents={"bigcommerce": old})}, bears="1", accounts={"1": LiveAccount(created_ms=1, here=True, person="")}
        ),
        "q/lapsed": row(persons={"": Person(consents={"bigcommerce": old})}),
    }
    name = changelog(group(settings.topic_prefix, "resolve"), PEOPLE.table)
    async with admin_client(settings) as admin:
        await admin.create_topics([NewTopic(name, 4, 1)])
    sender = producer(kafka_options(settings))
    await sender.start()
    for key, value in rows.items():
        await sender.send_and_wait(name, value, key.encode())
    await sender.stop()

    stores = directory(("a.1", "p", True), ("b.1", "p", False), ("c.1", "p", False), ("d.1", "q", False))
    asked = settings.model_copy(update={"anonymize_lapsed_days": 30})
    await anonymize_lapsed(settings, stores, "b.1", Sender(settings))
    await anonymize_lapsed(asked, stores, "c.1", Sender(settings))
    assert await written(settings, PEOPLE) == []
    await anonymize_lapsed(asked, stores, "b.1", Sender(settings))
    [(key, fact)] = await written(settings, PEOPLE)
    assert isinstance(fact, Lapsed)
    assert (key, fact.store, fact.days) == ("p/lapsed", "b.1", 30)
    assert now_ms - UNDER_WAY_MS <= fact.at_ms <= time.time_ns() // 1_000_000 - UNDER_WAY_MS
