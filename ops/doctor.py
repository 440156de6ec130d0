"""`doctor`: what is wrong, and how to mend it."""

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from pydantic import SecretStr
from rich.text import Text

from bigcommerce.hooks import check_scopes, list_hooks, ours, read_store, store_client, trouble
from bigcommerce.webhooks import HOOK_SCOPES
from engagement.access import check_catalogs, check_key, check_permission_to_read_events
from ops import environment, output
from ops.exits import DONE, FAILED, NOT_REACHABLE
from ops.stores import destination, opened_directory
from ops.topics import check_topics, refusal
from schemas.connection import admin_client
from schemas.failures import Failure, Reject, Retry, WrongSetting
from schemas.settings import Settings
from schemas.stores import Store

HOOKS_MEND = "run `cartstream store add` for it again"
NO_PUBLIC_URL = "CARTSTREAM_PUBLIC_URL is not set"


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    check: str
    of: str  # the store, or "" for the deployment
    result: str  # ok, wrong, not reachable
    what: str  # what was found; where it is not ok, also how to mend it


def print_new_key() -> int:
    """A new CARTSTREAM_SECRET_KEY on stdout."""
    print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return DONE


def main(settings: Settings, as_json: bool) -> int:
    """The command: FAILED where something is wrong, NOT_REACHABLE where all that is wrong is that something is not reachable."""
    findings = asyncio.run(examine(settings))
    if as_json:
        output.show_json({"settings": shown(settings), "checks": [asdict(finding) for finding in findings]})
    else:
        rows = [(finding.check, finding.of, finding.result, finding.what) for finding in findings]
        styles = {"ok": "green", "wrong": "bold red", "not reachable": "bold yellow"}
        output.show(
            output.table(("setting", "value"), shown(settings).items()),
            Text(),
            output.table(("check", "of", "result", "found"), rows, styles),
        )
    results = {finding.result for finding in findings}
    return FAILED if "wrong" in results else NOT_REACHABLE if "not reachable" in results else DONE


def shown(settings: Settings) -> dict[str, str]:
    """Every setting under the name of its variable, secrets hidden."""
    values = {f"CARTSTREAM_{name.upper()}": _shown(getattr(settings, name)) for name in type(settings).model_fields}
    if environment.embedded(settings):
        values["CARTSTREAM_KAFKA"] += " (not set: the embedded Kafka of `cartstream up`)"
    return values


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set, hidden)" if value.get_secret_value() else "(not set)"
    return "(not set)" if value is None or value == "" else str(value)


async def examine(settings: Settings) -> list[Finding]:
    """All checks; one that cannot be made because of another is left out."""
    stores: list[Store] = []
    findings = [await _finding("Kafka", "", lambda: _check_kafka(settings))]
    if findings[-1].result == "ok":
        findings.append(await _finding("topics", "", lambda: _check_topics(settings)))
    if findings[-1].check == "topics" and findings[-1].result == "ok" and settings.secret_key.get_secret_value():
        findings.append(await _finding("stores", "", lambda: _read_stores(settings, stores)))
        for store in stores:
            findings += await _examine_store(settings, store)
    return [_secret_key(settings), _public_url(settings, stores), *findings]


def _secret_key(settings: Settings) -> Finding:
    if settings.secret_key.get_secret_value():
        return Finding("secret key", "", "ok", "is set")
    return Finding("secret key", "", "wrong", "CARTSTREAM_SECRET_KEY is not set; `cartstream doctor --new-key` prints one; keep it")


def _public_url(settings: Settings, stores: Sequence[Store]) -> Finding:
    if settings.public_url:
        return Finding("public address", "", "ok", settings.public_url)
    if stores and not any(store.hooks for store in stores):
        return Finding("public address", "", "ok", "is not set, and no store asks for it")
    return Finding("public address", "", "wrong", f"{NO_PUBLIC_URL}; set it to the address that BigCommerce reaches ingest at")


async def _finding(check: str, of: str, examination: Callable[[], Awaitable[str]]) -> Finding:
    """The finding of one examination, which says what it found or raises a Failure that says how to mend it."""
    try:
        return Finding(check, of, "ok", await examination())
    except Retry as error:
        return Finding(check, of, "not reachable", str(error))
    except Failure as error:
        return Finding(check, of, "wrong", str(error))


async def _check_kafka(settings: Settings) -> str:
    async with admin_client(settings) as admin:
        brokers = len((await admin.describe_cluster())["brokers"])
    if brokers < settings.replication:
        raise WrongSetting(f"CARTSTREAM_REPLICATION is {settings.replication}, Kafka has {brokers} broker(s); set it to at most that")
    return f"{brokers} broker(s) at {settings.kafka}"


async def _check_topics(settings: Settings) -> str:
    async with admin_client(settings) as admin:
        found = await check_topics(admin, settings)
    if any(topic.result == "refused" for topic in found):
        raise Reject(refusal(found))
    for result, words in (("missing", "missing"), ("differs", "not set as they must be")):
        if names := [topic.topic for topic in found if topic.result == result]:
            raise Reject(f"{len(names)} of {len(found)} topics are {words} ({names[0]} ...); run `cartstream topics`")
    return f"{len(found)} topics with {settings.partitions} partitions each"


async def _read_stores(settings: Settings, stores: list[Store]) -> str:
    async with opened_directory(settings) as directory:
        stores += sorted((s for s in directory.by_store.values() if not s.removed), key=lambda store: store.store)
    if not stores:
        return "none yet; `cartstream store add` adds one"
    return f"{len(stores)} store(s)"


async def _examine_store(settings: Settings, store: Store) -> list[Finding]:
    key = (store.engagement_url, store.project, store.api_key_id, store.api_secret)
    return [
        await _finding("BigCommerce token", store.store, lambda: _check_token(settings, store)),
        await _finding("hooks", store.store, lambda: _check_hooks(settings, store)),
        await _finding("Engagement key", store.store, lambda: _check_key(key)),
        await _finding("catalogs", store.store, lambda: check_catalogs(*key)),
    ]


async def _check_token(settings: Settings, store: Store) -> str:
    async with store_client(settings.bigcommerce_api, store.hash, store.access_token) as client:
        information = await read_store(client)
        await check_scopes(client)
    return f"is good for {information.domain}, and may read what it has to"


async def _check_hooks(settings: Settings, store: Store) -> str:
    if not store.hooks:
        return "left alone, as --no-hooks asked"
    if not settings.public_url:
        raise WrongSetting(f"{NO_PUBLIC_URL}, so nothing can be said of them; set it and run this again")
    async with store_client(settings.bigcommerce_api, store.hash, store.access_token) as client:
        hooks = await list_hooks(client)
    present = ours(hooks, destination(settings, store), store.webhook_secret)
    if missing := [scope for scope in HOOK_SCOPES if scope not in present]:
        raise Reject(f"{len(missing)} of {len(HOOK_SCOPES)} are missing ({missing[0]} ...); {HOOKS_MEND}")
    for hook in present.values():
        if what := trouble(hook, destination(settings, store), store.webhook_secret):
            raise Reject(f"{hook.scope} {what}; {HOOKS_MEND}")
    return f"{len(present)} are active"


async def _check_key(key: tuple[str, str, str, str]) -> str:
    await check_key(*key)
    await check_permission_to_read_events(*key)
    return "is accepted, and may read events"
