"""Whose an id is: the merge rules of docs/facts/engagement.md 3. Pure: the time is given.

1. No two profiles share an id value.
2. Profiles with different values of one hard type are never merged.
3. A hard id with the soft id of someone who is not another person: one profile.
4. A soft id of another person moves to the one who is identified now; events stay where they are.
5. A merge leaves the profile that was created first; of a property the newest stamp wins, of equal stamps the source's.
6. A merge leaves an event `merge` on the result.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from simulators.engagement.profiles import Event, Json, Profile

Ids = Sequence[tuple[str, str]]  # (type, value), as listed by the caller, valid ones only

SOFT_IDS_MAX = 64  # of one type per profile; one more drops the one unused longest. Source: docs/facts/engagement.md 2.6
CONFLICTS_SHOWN_MAX = 1000


class Identities:
    """All profiles of a project and the index from id to profile."""

    def __init__(self, counters: Counter[str], next_sequence: Callable[[], int]) -> None:
        self.profiles: dict[int, Profile] = {}  # by number, in order of creation
        self.conflicts: list[Json] = []  # the first thousand; `counters` knows how many there were
        self._by_id: dict[tuple[str, str], Profile] = {}
        self._counters = counters
        self._next_sequence = next_sequence
        self._created = 0
        self._uses = 0

    def find(self, ids: Ids) -> Profile | None:
        """The profile of the first id that is known."""
        return next((profile for key in ids if (profile := self._by_id.get(key))), None)

    def find_internal(self, internal_id: str) -> Profile | None:
        return next((profile for profile in self.profiles.values() if profile.internal_id == internal_id), None) if internal_id else None

    def identify(self, ids: Ids, hard_types: Collection[str], now_ms: int) -> Profile:
        """The one profile that these ids mean now: found, created or merged. At least one id is given.

        Two hard ids that cannot be one person: the profile of the first one listed that is known is taken, the others stay
        as they are, and each is a conflict. The platform's own way is not documented.
        """
        hard = [key for key in ids if key[0] in hard_types]
        soft = [key for key in ids if key[0] not in hard_types]
        target = self.find(hard) or self._anonymous_of(soft, dict(hard)) or self._create(now_ms)
        for kind, value in hard:
            owner = self._by_id.get((kind, value))
            if owner is target:
                continue
            if owner is None and kind not in target.hard:
                target.hard[kind] = value
                self._by_id[kind, value] = target
            elif owner is not None and not target.hard.keys() & owner.hard.keys():
                target = self._merge(target, owner, now_ms)
            else:
                self._conflict(ids, (kind, value), target, owner, now_ms)
        for key in soft:
            owner = self._by_id.get(key)
            if owner is not None and owner is not target:
                if not target.hard.keys() & owner.hard.keys():
                    target = self._merge(target, owner, now_ms)
                else:
                    del owner.soft[key[0]][key[1]]
                    self._counters["stolen"] += 1
            self._use(target, key)
        return target

    def anonymize(self, profile: Profile, private: frozenset[str], cookie: str, now_ms: int) -> None:
        """The profile is nobody's: its former ids are free for a new one."""
        for key in list(_keys(profile)):
            del self._by_id[key]
        profile.anonymize(private, cookie, now_ms)
        self._by_id["cookie", cookie] = profile

    def _anonymous_of(self, soft: Ids, hard: dict[str, str]) -> Profile | None:
        """The first soft id's profile that could be this person; rule 4 leaves out those that are somebody else."""
        owners = (self._by_id.get(key) for key in soft)
        return next((owner for owner in owners if owner and not owner.hard.keys() & hard.keys()), None)

    def _create(self, now_ms: int) -> Profile:
        self._created += 1
        profile = Profile(number=self._created, internal_id=f"{self._created:024x}", created_at_ms=now_ms)
        self.profiles[profile.number] = profile
        self._counters["created"] += 1
        return profile

    def _use(self, profile: Profile, key: tuple[str, str]) -> None:
        kind, value = key
        self._uses += 1
        profile.soft.setdefault(kind, {})[value] = self._uses
        self._by_id[key] = profile
        self._evict(profile, kind)

    def _evict(self, profile: Profile, kind: str) -> None:
        values = profile.soft[kind]
        while len(values) > SOFT_IDS_MAX:
            unused_longest = min(values, key=values.__getitem__)
            del values[unused_longest], self._by_id[kind, unused_longest]
            self._counters["evicted"] += 1

    def _merge(self, one: Profile, other: Profile, now_ms: int) -> Profile:
        """Both are the one that was created first."""
        destination, source = sorted((one, other), key=lambda profile: profile.number)
        for key in _keys(source):
            self._by_id[key] = destination
        destination.absorb(source)
        for kind in destination.soft:
            self._evict(destination, kind)
        del self.profiles[source.number]
        destination.events.append(Event("merge", now_ms / 1000, {}, now_ms, now_ms, self._next_sequence()))
        self._counters["merged"] += 1
        return destination

    def _conflict(self, ids: Ids, refused: tuple[str, str], target: Profile, owner: Profile | None, now_ms: int) -> None:
        self._counters["conflicts"] += 1
        if len(self.conflicts) < CONFLICTS_SHOWN_MAX:
            self.conflicts.append(
                {
                    "at_ms": now_ms,
                    "ids": dict(ids),
                    "refused": dict([refused]),
                    "applied_to": {"number": target.number, "hard": dict(target.hard)},
                    "other": owner and {"number": owner.number, "hard": dict(owner.hard)},
                }
            )


def _keys(profile: Profile) -> list[tuple[str, str]]:
    return [*profile.hard.items(), *((kind, value) for kind, values in profile.soft.items() for value in values)]
