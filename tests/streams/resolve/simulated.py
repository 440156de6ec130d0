"""Commands of resolve to the simulated Engagement's own model of identity, in process: lanes may overtake each other."""

from random import Random

import orjson

from schemas.commands import Command
from simulators.engagement.profiles import Profile
from simulators.engagement.project import Anonymize, Project, Settings, TrackEvent, UpdateCustomer
from tests.streams.resolve import engagement
from tests.streams.resolve.line import Line


class Simulated(engagement.Engagement):
    """As the tiny Engagement, but that the simulator's project applies each command."""

    def __init__(self) -> None:
        super().__init__()
        self.project = Project(Settings(token="project"), Random(0))
        self._now_ms = 0

    def _apply(self, command: Command) -> None:
        body = orjson.loads(memoryview(command.data))
        ids = tuple(body["customer_ids"].items())
        self._now_ms += 1
        at = self._now_ms
        if command.kind == "anonymize":
            self.project.apply(Anonymize(ids, "", at), at)
        elif command.kind == "customers":
            self.project.apply(UpdateCustomer(ids, body["properties"], body["update_timestamp"], at), at)
        else:
            self.project.apply(TrackEvent(ids, body["event_type"], body["timestamp"], body["properties"], at), at)

    @property
    def conflicts(self) -> int:
        return self.project.counters["conflicts"]

    def profile(self, kind: str, value: str | int) -> Profile | None:
        return self.project.identities.find([(kind, str(value))])

    def living(self) -> list[Profile]:
        return [profile for profile in self.project.identities.profiles.values() if profile.anonymized_at_ms is None]


def simulate(line: Line, seed: int | None = None) -> Simulated:
    """What the simulator holds when all is delivered: in order, or with a seed with lanes and batches shuffled."""
    ended = Simulated()
    ended.deliver(line.commands, seed or 0, shuffle=seed is not None)
    return ended


def purchases(profile: Profile | None) -> list[str]:
    assert profile is not None
    return sorted(event.properties["purchase_id"] for event in profile.events if event.type == "purchase")
