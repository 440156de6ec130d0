"""Who had an e-mail when: the account that took it last before that time."""

from collections.abc import Collection

from msgspec.structs import replace

from streams.resolve.tables import Holder, Profile


def holders_of(row: Profile) -> list[Holder]:
    """The accounts that took the row's e-mail, by time. A row written before they were kept knows the last one alone."""
    if row.holders or not row.pointer:
        return row.holders
    return [Holder(row.pointer_ms, row.pointer_customer, row.pointer)]


def take(holders: list[Holder], holder: Holder) -> list[Holder]:
    """With `holder` in its place in time."""
    return sorted({*holders, holder}, key=lambda h: (h.from_ms, h.customer, h.home))


def holder_at(holders: list[Holder], at_ms: int, here: Collection[str]) -> Holder | None:
    """Who had the e-mail at a time; None before the first one. An account that left it has it until another takes it.

    `here`: accounts under the e-mail's own profile that have not left it. Whoever came while one of them was there
    shares the e-mail only, and what comes by it stays with the e-mail's own profile.
    """
    came = {holder.customer: n for n, holder in enumerate(holders) if not holder.home}
    for n, holder in reversed([*enumerate(holders)]):
        shares = holder.home and any(came.get(customer, -1) < n for customer in here)
        if holder.from_ms <= at_ms and not shares:
            return holder
    return None


def end(holders: list[Holder], customer: str, at_ms: int, *, away: bool = False) -> list[Holder]:
    """`customer` was deleted; with `away` only where the e-mail means its home elsewhere."""
    return [replace(h, gone_ms=at_ms or 1) if h.customer == customer and not h.gone_ms and (h.home or not away) else h for h in holders]
