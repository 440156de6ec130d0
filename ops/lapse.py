"""Once a day: subscribers without an account who have consented to nothing for CARTSTREAM_ANONYMIZE_LAPSED_DAYS are anonymized.

Who they are is read from the profiles' rows; the fact says by which time and how many days it was judged, and each row looks again.
"""

import time

import structlog

from ingest.backfill import Records
from schemas.changelogs import read_rows
from schemas.directory import Directory
from schemas.people import Lapsed
from schemas.records import Message
from schemas.settings import Settings
from schemas.topics import PEOPLE
from streams.resolve.rules.lapsed import lapsed
from streams.resolve.tables import Profile, read_row

log = structlog.get_logger()

UNDER_WAY_MS = 60 * 60 * 1000
"""A lapse is a deletion of that long ago: what a shopper does meanwhile may be on its way, and starts a new profile."""
AT_ONCE = 1000  # facts that wait for Kafka's acknowledgement


async def anonymize_lapsed(settings: Settings, directory: Directory, store: str, records: Records) -> None:
    """A fact about each who has lapsed stands on `people`; of several stores in a project the first does it. Raises Unavailable."""
    days = settings.anonymize_lapsed_days
    project = directory.by_store[store].project
    if not days or store != min(s.store for s in directory.by_store.values() if s.project == project and not (s.removed or s.paused)):
        return
    at_ms = time.time_ns() // 1_000_000 - UNDER_WAY_MS

    def keep(key: str, row: bytes) -> bool | None:
        return (key.startswith(f"{project}/") and lapsed(read_row(row, Profile), at_ms, days)) or None

    keys = list(await read_rows(settings, PEOPLE, keep))
    facts: list[tuple[str, Message]] = [(key, Lapsed(store=store, at_ms=at_ms, days=days)) for key in keys]
    for first in range(0, len(facts), AT_ONCE):
        await records.put(PEOPLE, facts[first : first + AT_ONCE])
    log.info("subscribers lapsed", store=store, count=len(facts), days=days)
