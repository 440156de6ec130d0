"""`erase`: one person is anonymized on request, in all projects of the deployment, and a receipt says what was done.

The request is a fact on `people`, under the fences of the person's row. Every record that follows from it bears its place as `cause`:
so it is followed through resolve to the anonymizations, and these until deliver has committed them, which is when Engagement took them.
"""

import asyncio
import contextlib
import datetime
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord
from rich.text import Text

from bigcommerce.client import BigCommerce, StoreApi
from bigcommerce.standing import read_standing
from engagement.ids import bigcommerce_id
from ops import output
from ops.exits import DONE, FAILED
from schemas.commands import Command
from schemas.connection import admin_client, consumer, kafka_options, offsets_of, partitions_of, producer, reaching_kafka
from schemas.directory import Directory, opened_directory
from schemas.failures import Failure, Undecodable, WrongSetting
from schemas.keys import clean_email, person_hash, person_lane
from schemas.people import Erased
from schemas.records import Decoder, Origin, encode, headers_of, origin_of
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import COMMANDS, DAY_MS, PEOPLE, RETENTION_MS, group

LOOK_S = 0.5  # between two looks at what is committed
KEPT: tuple[tuple[str, int | None], ...] = (
    (f"Kafka's topics with people on them, {PEOPLE.name}, {COMMANDS.name} and dead-letters too", RETENTION_MS // DAY_MS + 1),
    ("earlier versions of rows in the tables' changelogs, where their partition is still written to", 2),
    ("earlier versions of rows in RocksDB's files on the workers' disks, until RocksDB compacts them", None),
)

Place = tuple[TopicPartition, int]


@dataclass
class Anonymization:
    """One profile at Engagement. `place` is its command's."""

    row: str
    place: str
    accounts: list[str]  # the account whose id the profile bears: Engagement's, which is BigCommerce's own but in a shared project
    done: bool = False


@dataclass
class Request:
    """What was asked in one project, and what followed."""

    project: str
    stores: list[str]
    row: str  # key of the e-mail's row: `{project}/{h}`, which shows nobody
    place: str  # of the fact on `people`
    asked_at: str
    decided: bool = False  # resolve has done all that follows
    known: bool = False  # a profile was known here; else the anonymization is for what others may have told Engagement
    rows: list[str] = field(default_factory=list)
    anonymizations: list[Anonymization] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.decided and all(one.done for one in self.anonymizations)


@dataclass
class StandsAt:
    """What the person still has in one store; a None could not be asked."""

    store: str
    accounts: list[str] | None
    subscribers: list[str] | None
    why: str = ""


def main(settings: Settings, email: str, store_hash: str | None, as_json: bool, yes: bool, wait_s: float) -> int:
    """The command: DONE when Engagement has taken every anonymization, FAILED where it had not within `wait_s`.

    Raises WrongSetting, Unavailable.
    """
    cleaned = _read_email(email)
    if not yes:
        _ask(from_stdin=email == "-")
    requests, standing = asyncio.run(erase(settings, cleaned, store_hash, wait_s))
    done = all(request.done for request in requests)
    if as_json:
        output.show_json(receipt(requests, standing))
    else:
        show(requests, standing)
    if not done:
        output.say(
            "Not all is done yet: the request stands and will be worked on. `cartstream lag` and `dead-letters list` say what holds it up."
        )
    return DONE if done else FAILED


def _read_email(given: str) -> str:
    """Raises WrongSetting, which does not repeat what was given."""
    email = clean_email(sys.stdin.readline() if given == "-" else given)
    if "@" not in email.strip("@") or any(character.isspace() for character in email):
        raise WrongSetting("EMAIL: is not an e-mail address (`-` reads it from stdin, so that the shell's history does not keep it)")
    return email


def _ask(*, from_stdin: bool) -> None:
    if from_stdin or not sys.stdin.isatty():
        raise WrongSetting("--yes: nobody can be asked; give it to say that this person is to be anonymized for good")
    output.say("This anonymizes the person for good, at Engagement and here. Go on? [y/N]")
    if input().strip().lower() not in ("y", "yes"):
        raise WrongSetting("EMAIL: nothing was done")


async def erase(
    settings: Settings, email: str, store_hash: str | None, wait_s: float, say: Callable[[str], None] = output.say
) -> tuple[list[Request], list[StandsAt]]:
    """Asks for it, of a cleaned e-mail, and follows it for `wait_s` at most; `say` is told how far it is.

    Raises WrongSetting, Unavailable.
    """
    async with opened_directory(settings) as directory:
        stores = _stores(directory, store_hash)
        with reaching_kafka(settings):
            async with _followed(settings) as trail:
                requests = await _request(settings, directory, stores, email)
                for request in requests:  # it stands, whatever becomes of this process
                    say(f"Asked for in the project {request.project}, by {request.place}.")
                await trail.follow(requests, time.monotonic() + wait_s, say)
        return requests, await _standing(settings, stores, email, requests)


def _stores(directory: Directory, store_hash: str | None) -> list[Store]:
    if store_hash is not None:
        found = directory.of_hash(store_hash)
        if found is None:
            raise WrongSetting(f"--store: there is no store {store_hash}; `cartstream store list` has them")
        return [found]
    stores = sorted((store for store in directory.by_store.values() if not store.removed), key=lambda store: store.store)
    if not stores:
        raise WrongSetting("EMAIL: there are no stores; `cartstream store add` adds one")
    return stores


async def _request(settings: Settings, directory: Directory, stores: list[Store], email: str) -> list[Request]:
    """One fact for each project, acknowledged by all in-sync replicas."""
    by_project: dict[str, list[Store]] = defaultdict(list)
    for store in stores:
        by_project[store.project].append(store)
    at_ms = time.time_ns() // 1_000_000
    sender, topic, requests = producer(kafka_options(settings)), settings.topic_prefix + PEOPLE.name, []
    await sender.start()
    try:
        for project, of_project in by_project.items():
            row = person_lane(project, person_hash(directory.person_key, email))
            fact = Erased(store=of_project[0].store, email=email, at_ms=at_ms)
            headers = list(headers_of(fact, Origin(cause="", observed_at_ms=at_ms)))
            at = await sender.send_and_wait(topic, encode(fact), row.encode(), headers=headers)
            asked_at = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            place = f"{topic}/{at.partition}/{at.offset}"
            requests.append(Request(project, [store.store for store in of_project], row, place, asked_at, rows=[row]))
    finally:
        await sender.stop()
    return requests


class Trail:
    """What follows from requests, from the end that the topics had before they were made."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        self._prefix, self._admin, self._reader, self._partitions = settings.topic_prefix, admin, reader, partitions
        self._decoder = Decoder(COMMANDS.messages)

    async def follow(self, requests: list[Request], deadline: float, say: Callable[[str], None]) -> None:
        """Returns when all are done, or at the deadline (of time.monotonic())."""
        by_place = {request.place: request for request in requests}
        facts = {_place(request.place) for request in requests}
        commands: dict[Place, Anonymization] = {}
        said = ""
        while True:
            decided = await self._passed("resolve", facts)
            for record in await self._read_on():
                origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
                if (request := by_place.get(origin.cause)) is None:
                    continue
                place = TopicPartition(record.topic, record.partition), record.offset
                row = (record.key or b"").decode(errors="replace")
                if record.topic == self._prefix + PEOPLE.name:
                    decided &= place in facts  # there is more to decide
                    facts.add(place)
                    request.rows = sorted({*request.rows, row})
                elif anonymization := self._taken(record, row, request):
                    commands[place] = anonymization
            delivered = await self._passed("deliver", commands, commands)
            for request in requests:
                request.decided = decided
            if decided and delivered:
                return
            waits = "Engagement has not taken every anonymization yet (deliver)" if decided else "it is not decided yet (resolve)"
            if waits != said:
                say(f"Waiting: {waits} ...")
                said = waits
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(LOOK_S)

    def _taken(self, record: ConsumerRecord[bytes, bytes], row: str, request: Request) -> Anonymization | None:
        with contextlib.suppress(Undecodable):
            command = self._decoder.decode(record.value, record.headers)
            assert isinstance(command, Command)
            if command.kind == "customers":  # something personal is emptied
                request.known = True
            if command.kind == "anonymize":
                ids = orjson.loads(memoryview(command.data))["customer_ids"]
                accounts = [ids["customer_id"]] if "customer_id" in ids else []
                made = Anonymization(row, f"{record.topic}/{record.partition}/{record.offset}", accounts)
                request.anonymizations.append(made)
                return made
        return None

    async def _read_on(self) -> list[ConsumerRecord[bytes, bytes]]:
        """All that came since the last time."""
        found: list[ConsumerRecord[bytes, bytes]] = []
        ends = await self._reader.end_offsets(self._partitions)
        while any([await self._reader.position(tp) < end for tp, end in ends.items()]):
            for records in (await self._reader.getmany(timeout_ms=200)).values():
                found += [record for record in records if any(name == "cause" for name, _ in record.headers)]
        return found

    async def _passed(self, stage: str, places: Iterable[Place], commands: dict[Place, Anonymization] | None = None) -> bool:
        """Whether the stage has committed all of these; each command is marked."""
        wanted = list(places)
        if not wanted:
            return True
        partitions = sorted({tp for tp, _ in wanted})
        committed = await offsets_of(self._admin, self._reader, group(self._prefix, stage), partitions)
        commands = commands or {}
        passed = {(tp, offset): committed[tp].of(commands[tp, offset].row if commands else None) > offset for tp, offset in wanted}
        for place, anonymization in commands.items():
            anonymization.done = passed[place]
        return all(passed.values())


@contextlib.asynccontextmanager
async def _followed(settings: Settings) -> AsyncIterator[Trail]:
    async with admin_client(settings) as admin:
        partitions = await partitions_of(admin, [settings.topic_prefix + topic.name for topic in (PEOPLE, COMMANDS)])
        reader = consumer(settings)
        try:
            await reader.start()
            reader.assign(partitions)
            for tp, end in (await reader.end_offsets(partitions)).items():
                reader.seek(tp, end)
            yield Trail(settings, admin, reader, partitions)
        finally:
            await reader.stop()


def _place(text: str) -> Place:
    topic, partition, offset = text.rsplit("/", 2)
    return TopicPartition(topic, int(partition)), int(offset)


async def _standing(settings: Settings, stores: list[Store], email: str, requests: list[Request]) -> list[StandsAt]:
    """What BigCommerce still has: it is asked, for we may not know all of it."""
    found = []
    async with BigCommerce(settings.bigcommerce_api) as bigcommerce:
        for store in stores:
            api = _api(bigcommerce, store)
            ids = {id for request in requests if request.project == store.project for one in request.anonymizations for id in one.accounts}
            borne = {bigcommerce_id(id) for id in ids if not store.shared or id.startswith(f"{store.hash}-")}
            try:
                standing = await read_standing(api, email, sorted(borne, key=int))
                found.append(StandsAt(store.hash, standing.accounts, standing.subscribers))
            except Failure as error:
                found.append(StandsAt(store.hash, None, None, str(error)))
    return found


def _api(bigcommerce: BigCommerce, store: Store) -> StoreApi:
    return StoreApi(bigcommerce, store.hash, lambda: store.access_token)


def receipt(requests: list[Request], standing: list[StandsAt]) -> dict[str, Any]:
    """As `--json` prints it. It names no e-mail."""
    return {
        "requests": [asdict(request) | {"done": request.done} for request in requests],
        "stands_at_bigcommerce": [asdict(one) for one in standing],
        "kept": [{"where": where, "days": days} for where, days in KEPT],
    }


def show(requests: list[Request], standing: list[StandsAt]) -> None:
    """The receipt for people."""
    for request in requests:
        state = "done" if request.done else "decided, not yet taken by Engagement" if request.decided else "asked for"
        rows = [(one.row, one.place, ", ".join(one.accounts), "done" if one.done else "waits") for one in request.anonymizations]
        known = (
            ""
            if request.known or not request.decided
            else (
                "\nNobody is known here by this e-mail. What others told Engagement is anonymized, and what is older than the request"
                " will be dropped if it comes."
            )
        )
        output.show(
            Text(f"Project {request.project}: {state}. Asked at {request.asked_at} by {request.place}.{known}"),
            output.table(("anonymized profile's row", "command", "account", "state"), rows),
            Text(),
        )
    for one in standing:
        output.show(Text(_said(one)))
    kept = "; ".join(where if days is None else f"{where}: {days} days" for where, days in KEPT)
    output.show(Text(f"What stays until it is gone by itself: {kept}. At Engagement events stay, as nobody's."))


def _said(one: StandsAt) -> str:
    if one.accounts is None or one.subscribers is None:
        return f"Store {one.store}: could not be asked what the person still has there ({one.why}). Look there, and delete it."
    parts = [f"{kind} {', '.join(ids)}" for kind, ids in (("the account", one.accounts), ("the subscriber", one.subscribers)) if ids]
    if not parts:
        return f"Store {one.store}: BigCommerce has no account and no subscriber with this e-mail; orders there may still name the person."
    return f"Store {one.store}: BigCommerce still has {' and '.join(parts)}. Delete that there too; orders there may still name the person."
