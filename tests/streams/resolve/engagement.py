"""A tiny Engagement: which profile each command meets, by docs/facts/engagement.md 3. Lanes may be delivered in any interleaving."""

import random
from collections.abc import Collection
from typing import Any

import orjson

from schemas.commands import Command

HARD = ("email_id", "customer_id")
LIVE_FIRST = 0.9  # so often no history goes while there are live commands
Id = tuple[str, str]


class Profile:
    def __init__(self, number: int) -> None:
        self.number = number
        self.hard: dict[str, str] = {}
        self.soft: set[Id] = set()
        self.properties: dict[str, tuple[float, Any]] = {}  # with their update_timestamp
        self.events: list[tuple[str, float, bytes]] = []
        self.anonymized = False

    def property(self, name: str) -> Any:
        return self.properties.get(name, (0, None))[1]

    def purchases(self) -> list[str]:
        return [orjson.loads(properties)["purchase_id"] for type, _, properties in self.events if type == "purchase"]

    def consents(self) -> dict[str, str]:
        """Category to the action of the last consent by its timestamp."""
        last: dict[str, tuple[float, str]] = {}
        for type, at, properties in self.events:
            if type == "consent":
                found = orjson.loads(properties)
                last[found["category"]] = max(last.get(found["category"], (0.0, "")), (at, found["action"]))
        return {category: action for category, (_, action) in last.items()}


class Engagement:
    """`profiles` are all, anonymized ones too; `clashes` what no profile could be."""

    def __init__(self) -> None:
        self.index: dict[Id, Profile] = {}
        self.profiles: list[Profile] = []
        self.clashes: list[Any] = []
        self._made = 0

    def deliver(
        self, commands: list[tuple[str, Command]], seed: int = 0, *, shuffle: bool = False, history: Collection[tuple[str, int]] = ()
    ) -> "Engagement":
        """Each lane in order and each number once. `shuffle` draws the order of lanes, and inside a batch; anonymizing is a border.

        The lanes and numbers in `history` go at any time, but not below an anonymization of their profile.
        """
        random_ = random.Random(seed)
        last: dict[tuple[str, bool], int] = {}
        lanes: dict[tuple[str, bool], list[Command]] = {}
        for lane, command in commands:
            way = lane, (lane, command.number) in history
            if command.number > last.get(way, 0):
                last[way] = command.number
                lanes.setdefault(way if shuffle else ("", False), []).append(command)
        anonymized: dict[str, list[Command]] = {}
        while lanes:
            live = [lane for lane in lanes if not lane[1]]
            lane = random_.choice(live if live and random_.random() < LIVE_FIRST else list(lanes))
            waiting = lanes[lane]
            border = next((n for n, command in enumerate(waiting) if command.kind == "anonymize"), len(waiting))
            size = random_.randint(1, max(border, 1)) if shuffle else 1
            batch, lanes[lane] = waiting[:size], waiting[size:]
            random_.shuffle(batch)
            for command in batch:
                if lane[1] and any(_is_from_before(command, other) for other in anonymized.get(lane[0], [])):
                    continue
                if command.kind == "anonymize":
                    anonymized.setdefault(lane[0], []).append(command)
                self._apply(command)
            if not lanes[lane]:
                del lanes[lane]
        return self

    def find(self, kind: str, value: Any) -> Profile | None:
        return self.index.get((kind, str(value)))

    def live(self) -> list[Profile]:
        return [profile for profile in self.profiles if not profile.anonymized]

    def _apply(self, command: Command) -> None:
        body = orjson.loads(memoryview(command.data))
        ids: dict[str, str] = body["customer_ids"]
        assert ids
        assert all(ids.values())
        if command.kind == "anonymize":
            self._anonymize(ids)
            return
        profile = self._identify(ids)
        if command.kind == "customers":
            for name, value in body["properties"].items():
                if body["update_timestamp"] >= profile.properties.get(name, (0, None))[0]:
                    profile.properties[name] = body["update_timestamp"], value
            return
        event = body["event_type"], body["timestamp"], orjson.dumps(body["properties"], option=orjson.OPT_SORT_KEYS)
        if event[0] == "consent" or event not in profile.events:
            profile.events.append(event)

    def _anonymize(self, ids: dict[str, str]) -> None:
        found = {id(self.index[key]): self.index[key] for key in ids.items() if key in self.index}
        if len(found) > 1:
            self.clashes.append(("anonymize", ids))
        for profile in list(found.values())[:1]:
            for key in [*profile.hard.items(), *profile.soft]:
                self.index.pop(key, None)
            profile.hard, profile.soft, profile.anonymized = {}, set(), True

    def _identify(self, ids: dict[str, str]) -> Profile:
        hard, soft = ([i for i in ids.items() if (i[0] in HARD) is wanted] for wanted in (True, False))
        found = next((self.index[key] for key in hard if key in self.index), None)
        if found is None:
            by_soft = [self.index[key] for key in soft if key in self.index]
            found = next((profile for profile in by_soft if not any(kind in profile.hard for kind, _ in hard)), None)
        if found is None:
            self._made += 1
            found = Profile(self._made)
            self.profiles.append(found)
        for key in hard:
            other = self.index.get(key)
            if other is None and key[0] not in found.hard:
                found.hard[key[0]] = key[1]
                self.index[key] = found
            elif other is not None and other is not found and not (found.hard.keys() & other.hard.keys()):
                found = self._merge(found, other)
            elif other is not found:
                self.clashes.append((ids, dict(found.hard)))
        for key in soft:
            other = self.index.get(key)
            if other is not None and other is not found:
                if found.hard.keys() & other.hard.keys():
                    other.soft.discard(key)
                else:
                    found = self._merge(found, other)
            found.soft.add(key)
            self.index[key] = found
        return found

    def _merge(self, one: Profile, two: Profile) -> Profile:
        kept, gone = sorted((one, two), key=lambda profile: profile.number)
        for key in [*gone.hard.items(), *gone.soft]:
            self.index[key] = kept
        kept.hard |= gone.hard
        kept.soft |= gone.soft
        for name, (at, value) in gone.properties.items():
            if at >= kept.properties.get(name, (0, None))[0]:
                kept.properties[name] = at, value
        kept.events += gone.events
        self.profiles.remove(gone)
        return kept


def _is_from_before(command: Command, anonymization: Command) -> bool:
    mine, theirs = (set(orjson.loads(memoryview(c.data))["customer_ids"].items()) for c in (command, anonymization))
    return command.number < anonymization.number and any(key[0] in HARD for key in mine & theirs)
