"""`store add` and `store list`: stores without the app, for merchants who have an API account."""

import asyncio
import base64
import contextlib
import fcntl
import re
import secrets as randomness
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from bigcommerce.hooks import HookChanges, StoreInformation, check_scopes, ensure_hooks, read_store, store_client
from engagement.access import check_key
from ops import backfill, output
from ops.exits import DONE
from schemas.connection import kafka_options, producer
from schemas.directory import Directory, opened_directory
from schemas.failures import WrongSetting
from schemas.records import Message, Origin, encode, headers_of
from schemas.settings import Settings, safe_url
from schemas.stores import DEPLOYMENT, Deployment, Seal, Store
from schemas.topics import STORES


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """FILE of `store add`."""

    access_token: str
    api_key_id: str
    api_secret: str
    client_secret: str = ""
    webhook_secret: str = ""


@dataclass(frozen=True)
class Wanted:
    """The arguments of `store add`."""

    hash: str
    engagement_url: str
    project: str
    hooks: bool
    secrets: Secrets = field(repr=False)
    shared: bool = False
    events: str = ""  # as of `backfill`; "" as before, of a new store all


def add(settings: Settings, wanted: Wanted, *, load: bool) -> int:
    """The command: the store is in the directory, its hooks stand and, with `load`, its history is asked for. Safe to repeat.

    Raises WrongSetting, AccessLost, Reject, Unavailable.
    """
    if not re.fullmatch(r"[a-z0-9]+", wanted.hash):
        raise WrongSetting(f"HASH: {wanted.hash!r} is not a store hash: small letters and digits, as in store-HASH.mybigcommerce.com")
    if not re.fullmatch(r"[A-Za-z0-9-]+", wanted.project):
        raise WrongSetting("--project: is not a project token: letters, digits and hyphens, as Engagement's project settings show it")
    try:
        wanted = replace(wanted, engagement_url=safe_url(wanted.engagement_url))
    except ValueError as error:
        raise WrongSetting(f"--engagement-url: {error}") from None
    if wanted.hooks and not settings.public_url:
        raise WrongSetting("CARTSTREAM_PUBLIC_URL: is not set; hooks need the address that BigCommerce reaches ingest at (or --no-hooks)")
    backfill.events_from_ms(wanted.events)  # raises for a wrong option, before anything is done
    with _alone(settings.data):
        store, changes = asyncio.run(add_store(settings, wanted))
    output.say(f"{store.domain} ({store.currency}) is the store {store.store}; its people go to the project {store.project}.")
    if changes:
        counts = f"{len(changes.created)} created, {len(changes.mended)} mended, {len(changes.kept)} were there"
        output.say(
            f"Hooks to {destination(settings, store)}: {counts}." + (" A new hook may take a minute to start." if changes.created else "")
        )
    else:
        output.say("Its hooks were left alone: only what they send reaches cartstream.")
    if load and asyncio.run(backfill.begin(settings, store, wanted.events)):
        output.say(f"`cartstream backfill {wanted.hash} --status` shows how far it is.")
    print(store.store)
    return DONE


async def add_store(settings: Settings, wanted: Wanted) -> tuple[Store, HookChanges | None]:
    """The store as it was written, its secrets readable, and what became of its hooks. Raises as `add`."""
    seal = Seal(settings)
    async with opened_directory(settings) as directory:
        before = directory.of_hash(wanted.hash)
        _refuse_to_mix(directory, wanted, before)
        async with store_client(settings.bigcommerce_api, wanted.hash, wanted.secrets.access_token) as client:
            information = await read_store(client)
            await check_scopes(client)
            await check_key(wanted.engagement_url, wanted.project, wanted.secrets.api_key_id, wanted.secrets.api_secret)
            store = _made(wanted, information, directory, before)
            # The record first: should creating the hooks fail, the secret that some of them bear is known, and used again.
            await _write(settings, _deployment(directory, seal), seal.sealed(store))
            changes = await ensure_hooks(client, destination(settings, store), store.webhook_secret) if wanted.hooks else None
    return store, changes


def _refuse_to_mix(directory: Directory, wanted: Wanted, before: Store | None) -> None:
    """Raises WrongSetting where people of two stores, or of two projects, would get into each other's rows."""
    if before and before.project != wanted.project:
        raise WrongSetting(f"--project: {wanted.hash} goes to the project {before.project} already, and that cannot be changed")
    if before and before.shared != wanted.shared:
        raise WrongSetting(
            f"--shared-project: {wanted.hash} was added {'with' if before.shared else 'without'} it, and that cannot be changed, "
            "for its ids at Engagement depend on it"
        )
    for other in directory.by_store.values():
        together = other.project == wanted.project and other.hash != wanted.hash and not other.removed
        if together and not (wanted.shared and other.shared):
            alone = wanted.hash if other.shared else other.hash
            raise WrongSetting(
                f"--project: the store {other.hash} goes there already, and ids of two would clash unless both are added "
                f"with --shared-project, which {alone} is not; use another project"
            )


def _made(wanted: Wanted, information: StoreInformation, directory: Directory, before: Store | None) -> Store:
    """The store with its secrets readable. One that is there keeps its generation, its hooks' secret and what FILE leaves out."""
    generation = max((s.generation for s in directory.by_store.values() if s.hash == wanted.hash), default=0)
    given = wanted.secrets
    return Store(
        store=before.store if before else f"{wanted.hash}.{generation + 1}",
        domain=information.domain,
        currency=information.currency,
        engagement_url=wanted.engagement_url,
        project=wanted.project,
        shared=wanted.shared,
        access_token=given.access_token,
        api_key_id=given.api_key_id,
        api_secret=given.api_secret,
        client_secret=given.client_secret or (before.client_secret if before else ""),
        webhook_secret=given.webhook_secret or (before.webhook_secret if before else randomness.token_urlsafe(32)),
        hooks=wanted.hooks,
        events_from_ms=backfill.events_from_ms(wanted.events, before.events_from_ms if before else 0),
        paused=before.paused if before else False,
    )


def _deployment(directory: Directory, seal: Seal) -> Deployment | None:
    """The deployment's record where there is none yet: a person key, made once for all time."""
    if directory.person_key:
        return None
    return Deployment(person_key=seal.close(base64.b64encode(randomness.token_bytes(32)).decode()))


async def _write(settings: Settings, deployment: Deployment | None, store: Store) -> None:
    """Both stand on the `stores` topic, acknowledged by all in-sync replicas; the key before the store that needs it."""
    sender = producer(kafka_options(settings))
    origin = Origin(cause="", observed_at_ms=time.time_ns() // 1_000_000)
    records: list[tuple[str, Message]] = [(store.store, store)]
    if deployment:
        records.insert(0, (DEPLOYMENT, deployment))
    await sender.start()
    try:
        for key, message in records:
            topic = settings.topic_prefix + STORES.name
            await sender.send_and_wait(topic, key=key.encode(), value=encode(message), headers=list(headers_of(message, origin)))
    finally:
        await sender.stop()


def destination(settings: Settings, store: Store) -> str:
    """Where the store's hooks lead."""
    return f"{settings.public_url}/webhooks/{quote(store.hash)}"


def read_secrets(file: str) -> Secrets:
    """The secrets in FILE, `-` for stdin. Raises WrongSetting, without any of them in its words."""
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        read = msgspec.json.decode(text, type=Secrets)
    except OSError as error:
        raise WrongSetting(f"--secrets: {file} cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise WrongSetting(f"--secrets: {file} must be JSON with access_token, api_key_id and api_secret ({error})") from None
    given = {name: secret.strip() for name, secret in msgspec.structs.asdict(read).items()}  # a copied one may bring its newline along
    for name, secret in given.items():
        if not (secret.isascii() and secret.isprintable()):
            raise WrongSetting(f"--secrets: {name} holds characters that none has; copy it again")
    return Secrets(**given)


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Nobody else on this machine adds a store meanwhile: two first ones would make two person keys."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongSetting(f"CARTSTREAM_DATA: {data} cannot be made ({error.strerror}); name a folder to write to") from None
    with open(data / "stores.lock", "w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield


def list_stores(settings: Settings, as_json: bool) -> int:
    """The command. Raises WrongSetting, Unavailable."""
    rows = asyncio.run(_listed(settings))
    if as_json:
        output.show_json(rows)
    elif rows:
        columns = ("store", "domain", "currency", "engagement url", "project", "shared project", "state")
        cells = [[_cell(row[name.replace(" ", "_")]) for name in columns] for row in rows]
        output.show(output.table(columns, cells, {"live": "green", "paused": "yellow"}))
    else:
        output.say("There are no stores. `cartstream store add` adds one.")
    return DONE


def _cell(value: str | bool) -> str:
    return value if isinstance(value, str) else "yes" if value else ""


async def _listed(settings: Settings) -> list[dict[str, str | bool]]:
    async with opened_directory(settings) as directory:
        stores = sorted(directory.by_store.values(), key=lambda store: store.store)
    return [
        {
            "store": store.store,
            "domain": store.domain,
            "currency": store.currency,
            "engagement_url": store.engagement_url,
            "project": store.project,
            "shared_project": store.shared,
            "state": "removed" if store.removed else "paused" if store.paused else "live",
        }
        for store in stores
    ]
