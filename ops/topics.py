"""`topics`: creates what is missing, checks what is there, and lets new consumer groups begin at the beginning."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import CommitFailedError, for_code

from ops import output
from ops.exits import DONE, FAILED
from schemas.connection import REQUEST_TIMEOUT_MS, admin_client, kafka_options
from schemas.failures import Unavailable, WrongSetting
from schemas.keys import changelog
from schemas.settings import Settings
from schemas.topics import RETENTION_MS, STAGES, TOPICS, Topic, group
from streams.offsets import commit_beginning_offsets

CREATE_S_MAX = 60.0
TOPIC_ALREADY_EXISTS, INVALID_REPLICATION_FACTOR = 36, 38  # Kafka's error codes
SET_BY_SOMEBODY = 1  # Kafka's config source DYNAMIC_TOPIC_CONFIG: not a default


@dataclass
class Checked:
    """One topic and what was found, or done about it."""

    topic: str
    partitions: int
    replication: int
    result: Literal["ok", "missing", "created", "differs", "corrected", "refused"]  # refused: cannot be changed safely
    note: str = ""


@dataclass
class Outcome:
    topics: list[Checked]
    groups: list[str] = field(default_factory=list)  # those that were given a beginning

    @property
    def refused(self) -> list[Checked]:
        return [topic for topic in self.topics if topic.result == "refused"]


async def check_topics(admin: AIOKafkaAdminClient, settings: Settings) -> list[Checked]:
    """Every topic as it stands: ok, missing, differs (can be corrected), refused. Changes nothing."""
    wanted = _wanted(settings)
    there = set(await admin.list_topics())
    present = {name: topic for name, topic in wanted.items() if name in there}
    replicas, configs = await _replicas(admin, present), await _configs(admin, present)
    return [
        _check(name, topic, settings, replicas[name], configs[name]) if name in present else _missing(name, topic, settings, there)
        for name, topic in wanted.items()
    ]


async def create_topics(settings: Settings) -> Outcome:
    """All topics are there with their settings, and every consumer group that is new stands at their beginning.

    Safe to repeat. Nothing that is there loses records or partitions: what would have to is `refused` with a note, and then
    nothing else is changed either. Raises Unavailable, WrongSetting.
    """
    async with admin_client(settings) as admin:
        wanted = _wanted(settings)
        outcome = Outcome(await check_topics(admin, settings))
        if outcome.refused:
            return outcome
        for checked in outcome.topics:
            if checked.result == "differs":
                await _correct(admin, checked, wanted[checked.topic])
                checked.result = "corrected"
        if missing := [checked for checked in outcome.topics if checked.result == "missing"]:
            await _create(admin, settings, {checked.topic: wanted[checked.topic] for checked in missing})
            for checked in missing:
                checked.result = "created"
        outcome.groups = [group(settings.topic_prefix, stage) for stage in STAGES if await _begin_group(settings, stage)]
    return outcome


def _missing(name: str, topic: Topic, settings: Settings, there: Collection[str]) -> Checked:
    checked = Checked(name, settings.partitions, settings.replication, "missing")
    rows = changelog(group(settings.topic_prefix, "resolve"), topic.table) if topic.table else ""
    if rows in there:
        # Rows know by its offset which record they have had: those of a new topic would be taken for done.
        checked.result, checked.note = "refused", f"its table's rows are there: restore it, or delete {rows} too"
    return checked


def _wanted(settings: Settings) -> dict[str, Topic]:
    return {settings.topic_prefix + topic.name: topic for topic in TOPICS}


async def _create(admin: AIOKafkaAdminClient, settings: Settings, missing: Mapping[str, Topic]) -> None:
    """Creates topics; returns when Kafka shows a leader for each of their partitions."""
    new = [
        NewTopic(name, settings.partitions, settings.replication, topic_configs=topic.config(settings.replication))
        for name, topic in missing.items()
    ]
    for name, code, *_ in (await admin.create_topics(new, timeout_ms=REQUEST_TIMEOUT_MS)).topic_errors:
        if code == INVALID_REPLICATION_FACTOR:
            brokers = len((await admin.describe_cluster())["brokers"])
            raise WrongSetting(f"CARTSTREAM_REPLICATION: is {settings.replication}, Kafka has {brokers} broker(s); set it to at most that")
        if code not in (0, TOPIC_ALREADY_EXISTS):
            raise for_code(code)(f"creating {name}")
    await _replicas(admin, missing)


async def _replicas(admin: AIOKafkaAdminClient, wanted: Mapping[str, Topic]) -> dict[str, list[int]]:
    """Per topic the number of replicas of each partition; waits until Kafka shows them all, each with a leader."""
    deadline = time.monotonic() + CREATE_S_MAX
    found: dict[str, list[int]] = {}
    while wanted:  # an empty list would mean all
        for topic in await admin.describe_topics(list(wanted)):
            if not topic["error_code"] and all(p["leader"] >= 0 for p in topic["partitions"]):
                found[topic["topic"]] = [len(p["replicas"]) for p in topic["partitions"]]
        if not (absent := sorted(set(wanted) - set(found))):
            return found
        if time.monotonic() > deadline:
            raise Unavailable(f"Kafka shows no leader for {', '.join(absent)} after {CREATE_S_MAX:.0f} s; check its brokers")
        await asyncio.sleep(0.2)
    return found


async def _configs(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, tuple[str, int]]]:
    """Per topic its settings: name to (value, where the value comes from)."""
    if not names:  # an empty list would mean all
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        name: {entry[0]: (entry[1], entry[3]) for entry in entries} for answer in answers for _, _, _, name, entries in answer.resources
    }


def _check(name: str, topic: Topic, settings: Settings, replicas: list[int], config: Mapping[str, tuple[str, int]]) -> Checked:
    """What is to be done about a topic that is there. Only what keeps no less than before is corrected."""
    checked = Checked(name, len(replicas), min(replicas), "ok")
    if len(replicas) != settings.partitions:
        # Another count would send a key elsewhere, and its row stays behind in another worker's table.
        checked.result, checked.note = "refused", f"CARTSTREAM_PARTITIONS is {settings.partitions}"
    elif not topic.compacted and config["cleanup.policy"][0] != "delete":
        # A compacted topic has holes in its offsets, which the engine must take for lost records.
        checked.result, checked.note = "refused", "cleanup.policy is not delete"
    elif wrong := _wrong(topic, checked.replication, config):
        checked.result = "differs"
        checked.note = ", ".join(f"{key} was {config[key][0]}" for key in wrong)
    elif checked.replication < settings.replication:
        checked.note = f"CARTSTREAM_REPLICATION is {settings.replication}; Kafka's own tools can raise it"
    elif _kept_longer(topic, config):
        checked.note = "kept longer than 30 days"
    return checked


def _wrong(topic: Topic, replication: int, config: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    """The settings that have to change, with the values that they must have."""
    return {
        key: value
        for key, value in topic.config(replication).items()
        if config[key][0] != value and not (key == "retention.ms" and _kept_longer(topic, config))
    }


def _kept_longer(topic: Topic, config: Mapping[str, tuple[str, int]]) -> bool:
    """Whether somebody lets Kafka keep the records longer than we ask for, which is theirs to say."""
    retention_ms = int(config["retention.ms"][0])
    return not topic.compacted and (retention_ms < 0 or retention_ms > RETENTION_MS)


async def _correct(admin: AIOKafkaAdminClient, checked: Checked, topic: Topic) -> None:
    """Kafka replaces all settings of a topic at once, so those that somebody set beside ours are sent again."""
    config = (await _configs(admin, [checked.topic]))[checked.topic]
    kept = {key: value for key, (value, source) in config.items() if source == SET_BY_SOMEBODY}
    changed = kept | _wrong(topic, checked.replication, config)
    (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, checked.topic, configs=changed)])
    for code, message, *_ in answer.resources:
        if code:
            raise for_code(code)(message)


async def _begin_group(settings: Settings, stage: str) -> bool:
    """Commits the beginning offset of every partition that a stage's group has no offset for; True if there was any."""
    name = group(settings.topic_prefix, stage)
    topics = [settings.topic_prefix + topic.name for topic in STAGES[stage]]
    try:
        return await commit_beginning_offsets(kafka_options(settings), name, topics) > 0
    except CommitFailedError:
        raise Unavailable(f"workers of {stage} run, and topics of theirs are new; stop them, then run `cartstream topics` again") from None


def refusal(topics: Sequence[Checked]) -> str:
    """Why nothing was changed, in one line."""
    refused = [topic for topic in topics if topic.result == "refused"]
    mend = f"set it back to {refused[0].partitions}" if "PARTITIONS" in refused[0].note else "use another CARTSTREAM_TOPIC_PREFIX"
    return f"{refused[0].topic}: {refused[0].note}; {mend}. {len(refused)} of {len(topics)} topics are so; nothing was changed."


def main(settings: Settings, as_json: bool) -> int:
    """The command; FAILED where a topic was refused."""
    outcome = asyncio.run(create_topics(settings))
    if as_json:
        output.show_json(asdict(outcome))
    else:
        rows = [(t.topic, t.partitions, t.replication, t.result, t.note) for t in outcome.topics]
        styles = {"created": "green", "corrected": "yellow", "refused": "red"}
        output.show(output.table(("topic", "partitions", "replication", "result", "note"), rows, styles))
    for name in outcome.groups:
        output.say(f"The consumer group {name} begins at the beginning of its topics.")
    if outcome.refused:
        output.say(f"cartstream: {refusal(outcome.topics)}")
    return FAILED if outcome.refused else DONE
