"""States that a rule refused: one dead letter for each, and a row that says so to whoever compares it with the shop."""

from msgspec.structs import replace

from schemas.entities import EntityGone, EntityState
from schemas.failures import Reject
from schemas.records import Message
from streams.resolve.rules import fence
from streams.resolve.tables import EntityRow, Refused


def refuse(row: EntityRow, state: EntityState, failure: Reject) -> tuple[EntityRow, bool]:
    """The row that remembers it, and whether there is news: none where it was refused so before, or a newer one was.

    A read of the same version may find something else wrong with it: addresses and variants leave `date_modified` alone.
    """
    last = row.refused.get(state.id)
    if last is not None and fence.compare(last.seen, state) <= 0:
        return row, False
    found = Refused(fence.seen_of(state), str(failure))
    is_news = last is None or (last.seen.version, last.why) != (found.seen.version, found.why)
    return replace(row, refused=dict(sorted((row.refused | {state.id: found}).items()))), is_news


def still_refused(row: EntityRow, message: Message) -> dict[str, Refused]:
    """What the row is to remember as refused once `message` has gone through."""
    match message:
        case EntityState(id=id):
            is_over = id in row.refused and row.refused[id].seen.version <= message.version
        case EntityGone(id=id):
            is_over = message.told
        case _:
            return row.refused
    return {other: last for other, last in row.refused.items() if not (other == id and is_over)}
