"""The version fence: an older record changes nothing, an equal one writes the row again and sends nothing."""

from typing import TypeVar

from schemas.entities import EntityState, Seen
from streams.resolve.rules.change import Change
from streams.resolve.tables import Account, Product, Subscription

Entity = TypeVar("Entity", Account, Subscription, Product)


def no_news(row: Entity, state: EntityState) -> Change[Entity] | None:
    """What a state comes to that changes nothing: of an entity whose deletion was told, or not newer than the row. None: it is news."""
    if row.told_ms:
        return Change(None, note="deleted")
    newer = compare(row.seen, state, row.found_read_ms)
    if newer > 0:
        return None
    return Change(row) if newer == 0 else Change(None, note="not newer")


def compare(seen: Seen | None, state: EntityState, found_gone_ms: int = 0) -> int:
    """-1 for a state older than the row's, 0 for the same, 1 for a newer one.

    `found_gone_ms`: time of the read that missed the entity; only a later read brings it back.
    """
    if found_gone_ms and state.read_at_ms <= found_gone_ms:
        return -1
    if seen is None:
        return 1
    new, old = (state.version, state.read_at_ms), (seen.version, seen.read_at_ms)
    return (new > old) - (new < old)


def shown_ms(row: Entity, id: str) -> int:
    """Time of the last read that showed the entity, whether a rule took its state or refused it; 0 for none."""
    refused = row.refused.get(id)
    return max(seen.read_at_ms if seen else 0 for seen in (row.seen, refused and refused.seen))


def seen_of(state: EntityState) -> Seen:
    return Seen(state.version, state.read_at_ms)


def before(at_ms: int, deletion_ms: int) -> bool:
    """Whether a fact belongs before a deletion; BigCommerce's times have whole seconds, and the same second counts as before."""
    return at_ms // 1000 <= deletion_ms // 1000
