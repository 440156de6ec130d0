"""From a page of a listing to the records that fetch writes of it: the same as of live reads, for a page is a read at its `read_at_ms`.

What a page does not hold is not gone. Nor is anything read for it: accounts come with their own pages, and resolve asks for one that
its orders wait for. So a page waits for nobody's quota, access or settings, and no store's pages make another's wait.
"""

import msgspec
from msgspec.structs import replace

from bigcommerce.listings import LISTED
from bigcommerce.reads import id_of
from schemas.entities import EntityState, Page, ProductState
from schemas.failures import Reject, Undecodable
from streams.fetch.rules.route import is_id
from streams.fetch.rules.state import Made, make_state, with_events_from, with_names

SHORTLY_MS = 60_000
"""Before a load was asked for: a webhook of then may still be under way, for BigCommerce stamps it two seconds after the change and tries
it again a minute later. Source: docs/facts/bigcommerce.md 1.2, 1.5"""
LIVE_MAX = 50
"""Of one page. What a merchant changes in bulk during a load fills whole pages, and must not stand before what shoppers do."""

_entities = msgspec.json.Decoder(list[msgspec.Raw])


class Unread(msgspec.Struct, frozen=True):
    """An entity of a page that cannot be read, or is not in it."""

    name: str  # within its record
    error: Reject
    page: Page  # with that entity alone, so that it can be redriven


def entities_of(page: Page) -> list[msgspec.Raw]:
    """Raises Undecodable for a page that cannot be read as a whole."""
    if page.resource not in LISTED:
        raise Undecodable("no resource that is listed", "resource")
    try:
        return _entities.decode(page.body)
    except (msgspec.DecodeError, RecursionError):
        raise Undecodable("expected an array", "body") from None


def read_entity(page: Page, place: int, entity: msgspec.Raw) -> Made | Unread:
    """The record of the entity that stands at `place` in the page."""
    body, id = bytes(entity), id_of(entity)
    if not is_id(page.resource, id):
        return Unread(f"{page.resource}[{place}]", Undecodable(f"no id of a {page.resource}", "id"), _alone(page, body))
    try:
        made = make_state(page.store, page.resource, id, body, page.read_at_ms)
        made = with_names(made, page.attribute_names, page.brand_names, page.category_paths)
    except Undecodable as error:
        return Unread(f"{page.resource}-{id}", error, _alone(page, body))
    if page.rewrite and isinstance(made.state, ProductState):
        made = replace(made, state=replace(made.state, rewrite=True))
    return with_events_from(made, page.events_from_ms)


def is_live(page: Page, made: Made) -> bool:
    """Whether what follows from an entity of the page is not history: it changed since shortly before the load was asked for.

    Else the page that shows a change before its webhook does would send it behind all history: a withdrawn consent, too. Nothing of a
    product goes by history.
    """
    return 0 < page.asked_ms <= made.modified_ms + SHORTLY_MS and page.resource != "product"


def unread(page: Page, state: EntityState, error: Reject) -> Unread:
    """One that was read, and cannot be written."""
    return Unread(f"{page.resource}-{state.id}", error, _alone(page, bytes(state.body)))


def left_out(page: Page) -> list[Unread]:
    """The entities that are too large to be in the page."""
    too_large = Undecodable("too large for a record")
    names = [f"{page.resource}-{id if is_id(page.resource, id) else f'left-out-{place}'}" for place, id in enumerate(page.left_out)]
    return [Unread(name, too_large, _alone(page, b"")) for name in names]


def _alone(page: Page, body: bytes) -> Page:
    return replace(page, body=msgspec.Raw(b"[" + body + b"]"), left_out=[])
