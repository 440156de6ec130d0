"""Rules that need a clock of their own: plain values."""

from typing import Any

from simulators.engagement.profiles import Event, Profile

DAY_MS = 24 * 3600 * 1000


def event(at_ms: int, name: str = "visit", timestamp: float = 1.5, **properties: Any) -> Event:
    return Event(name, timestamp, properties, at_ms, at_ms, 1)


def test_a_duplicate_is_forgotten_90_days_after_it_was_last_processed() -> None:
    profile = Profile(1, "1", 0)
    assert profile.add(event(0))
    assert not profile.add(event(90 * DAY_MS)), "within 90 days, and that starts them anew"
    assert not profile.add(event(180 * DAY_MS))
    assert profile.add(event(270 * DAY_MS + 1))
    assert len(profile.events) == 2


def test_a_merge_keeps_the_later_memory_of_a_duplicate() -> None:
    first, second = Profile(1, "1", 0), Profile(2, "2", 0)
    first.add(event(0))
    second.add(event(50 * DAY_MS))
    first.absorb(second)
    assert not first.add(event(100 * DAY_MS))
