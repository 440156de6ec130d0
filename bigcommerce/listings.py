"""Listings: all entities of a store's resource, a page at a time, for a backfill or a reconcile.

Each goes on where its cursor says, also days and restarts later, and while the store changes. What was there from the first page to the
last is in one of them, though some of it may be in two. What is new meanwhile, or changed, may or may not be: its webhooks tell of it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from weakref import WeakKeyDictionary

import msgspec
from msgspec.structs import replace

from bigcommerce.attributes import AttributeNames
from bigcommerce.catalog_names import CatalogNames
from bigcommerce.client import Answer, StoreApi
from bigcommerce.reads import (
    CUSTOMER_PARAMS,
    ORDER_PARAMS,
    PRODUCT_PARAMS,
    PRODUCTS_PER_CALL_MAX,
    decode_answer,
    id_of,
    whole_customers,
    whole_orders,
)
from schemas.failures import Undecodable

LISTED = ("customer", "subscriber", "order", "product")  # in the order in which a backfill loads them: accounts before what needs them
PAGE_MAX = 250  # entities; BigCommerce's largest page. Source: docs/facts/bigcommerce.md 2.3, 2.5
SHRINKS = (1, 2, 10, 50)
"""How many times smaller than the largest a page may be. Each size divides those before it (250, 125, 25, 5; of products 50, 25, 5, 1), so
that whole pages of one end where a page of the next begins."""

ORDER_PASSES: tuple[dict[str, str], ...] = ({"status_id": "0"}, {}, {"is_deleted": "true"})
"""The Incomplete orders, those that are listed by default, the archived ones. An order that moves during the run moves to a later pass:
from Incomplete to placed, and from either to archived. Source: docs/facts/bigcommerce.md 2.5"""
ARCHIVED = len(ORDER_PASSES) - 1
NO_CEILING = 2**31 - 1


class ListedPage(msgspec.Struct, frozen=True):
    """One page.

    items: whole entities as BigCommerce gave them: customers with all addresses, attributes and form fields, orders with their lines,
    products with their variants.
    """

    items: list[bytes]
    read_at_ms: int  # the answer's Date
    after: str  # the cursor of the next page, "" when this was the last one
    attribute_names: dict[str, str] = {}  # of the customers' attributes: id to the name that the merchant gave
    brand_names: dict[str, str] = {}  # of the products' brands: id to name
    category_paths: dict[str, list[str]] = {}  # of the products' categories: id to the names from the root down to it


async def list_page(api: StoreApi, resource: str, after: str = "", since_ms: int = 0, shrink: int = 1) -> ListedPage:
    """The page of a resource (one of LISTED) behind the cursor `after`, "" for the first; `since_ms` leaves out what was modified before.

    `shrink` (one of SHRINKS) asks for a page that is so many times smaller, for a store that cannot answer a large one in time; it may be
    another one at each page of a listing. Only where pages have a number, they never grow again: all of a listing of subscribers, and what
    lies behind a page without an id that can be read.
    A call a page, with a few more at the beginning and the end of a listing. A customer's `date_modified` does not move with its addresses
    and attributes: `since_ms` leaves out one of which only these changed.
    Raises AccessLost, Reject; Undecodable: the answer as a whole cannot be read, or the cursor is none.
    """
    limit = max(1, _largest(resource) // shrink)
    match resource:
        case "customer":
            return await _customers(api, after, since_ms, limit)
        case "subscriber":
            return await _subscribers(api, after, since_ms, limit)
        case "order":
            return await _orders(api, after, since_ms, limit)
        case "product":
            return await _products(api, after, since_ms, limit)
    raise Undecodable(f"no listing of {resource}", "resource")


async def count(api: StoreApi, resource: str, since_ms: int = 0) -> int:
    """About how many entities `list_page` lists, for progress only: orders without Incomplete and archived ones. One call.

    Raises as `list_page`. Source: docs/facts/bigcommerce.md 2.3, 2.4, 2.5
    """
    if resource == "order":
        answer = await api.get("orders/count", "/v2/orders/count", _since_v2(since_ms))
        counted: int = decode_answer(answer, _Count).count
        return counted
    endpoint = _V3[resource]
    answer = await api.get(endpoint, f"/v3/{endpoint}", _since_v3(since_ms) | {"limit": "1"})
    total: int = decode_answer(answer, _List).meta.pagination.total
    return total


# V3: customers by cursor, subscribers by page number, products by id

_V3 = {"customer": "customers", "subscriber": "customers/subscribers", "product": "catalog/products"}


class _Pagination(msgspec.Struct, frozen=True):
    total: int = 0
    total_pages: int = 1
    per_page: int | None = None


class _Cursors(msgspec.Struct, frozen=True):
    end_cursor: str | None = None


class _Meta(msgspec.Struct, frozen=True):
    pagination: _Pagination = _Pagination()
    cursor_pagination: _Cursors = _Cursors()


class _List(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]
    meta: _Meta = _Meta()


class _Attribute(msgspec.Struct, frozen=True):
    attribute_id: int | str


class _Attributed(msgspec.Struct, frozen=True):
    attributes: list[_Attribute] = []


async def _customers(api: StoreApi, after: str, since_ms: int, limit: int) -> ListedPage:
    """By BigCommerce's own cursor, which stands behind an entity, not at a number: none moves past it when others come or go.

    An empty page is the last one: whether there is a next link, or how full a page is, is not documented well enough to end by. It comes
    however many customers are made meanwhile, for those are left out. The cursor is `{when it began, UNIX seconds}/{BigCommerce's cursor}`.
    Source: docs/facts/bigcommerce.md 2.3
    """
    params = CUSTOMER_PARAMS | _since_v3(since_ms) | {"limit": str(limit)}
    began, _, cursor = after.partition("/")
    if after:
        params |= {"date_created:max": _iso(_numbers(began, 1)[0] * 1000), "after": cursor}
    answer = await api.get("customers/list", "/v3/customers", params)
    listed: _List = decode_answer(answer, _List)
    if not listed.data:
        return ListedPage([], answer.read_at_ms, "")
    end = listed.meta.cursor_pagination.end_cursor
    if not end or end == cursor:
        raise Undecodable("no cursor that leads on", "meta.cursor_pagination.end_cursor")
    named, unnamed = _split(listed.data)
    items = [*(await whole_customers(api, named)).values(), *unnamed]
    after = f"{began or answer.read_at_ms // 1000}/{end}"
    return ListedPage(items, answer.read_at_ms, after, await _attribute_names(api, items))


_names: WeakKeyDictionary[StoreApi, AttributeNames] = WeakKeyDictionary()
"""Of the stores that are being listed: names are read once for all pages. They hold no API, so that they end with theirs."""


async def _attribute_names(api: StoreApi, customers: list[bytes]) -> dict[str, str]:
    ids = frozenset[str]().union(*map(_attribute_ids, customers))
    if not ids:
        return {}
    names = _names.setdefault(api, AttributeNames())
    await names.learn(api, ids)
    return {id: names.known[id] for id in ids if id in names.known}


def _attribute_ids(customer: bytes) -> set[str]:
    """None of a body that is at fault: whoever reads it says which field it is."""
    try:
        return {str(each.attribute_id) for each in msgspec.json.decode(customer, type=_Attributed).attributes}
    except (msgspec.DecodeError, ValueError):
        return set()


async def _subscribers(api: StoreApi, after: str, since_ms: int, limit: int) -> ListedPage:
    """From the last page to the first: they have no cursor, and stand in order of their ids.

    One that is deleted moves those behind it towards the pages that are still to be read; a new one stands behind all. With `since_ms`
    one that is modified would come in between, so what is modified after the listing began is left out, and its webhook tells of it.
    The cursor is `{page}/{when it began, UNIX seconds}/{entities a page}`. Source: docs/facts/bigcommerce.md 2.4
    """
    page, began_s = 1, 0
    if after:
        page, began_s, was = _numbers(after, 3, _largest("subscriber"))
        page, limit = _renumbered(page, was, limit)
    answer = await _subscriber_page(api, page, limit, since_ms, began_s)
    listed: _List = decode_answer(answer, _List)
    if not after and (pages := listed.meta.pagination.total_pages) > 1:
        page, began_s, limit = pages, answer.read_at_ms // 1000, listed.meta.pagination.per_page or limit
        answer = await _subscriber_page(api, page, limit, since_ms, began_s)
        listed = decode_answer(answer, _List)
    return ListedPage([bytes(raw) for raw in listed.data], answer.read_at_ms, f"{page - 1}/{began_s}/{limit}" if page > 1 else "")


async def _subscriber_page(api: StoreApi, page: int, limit: int, since_ms: int, until_s: int) -> Answer:
    params = _since_v3(since_ms) | {"limit": str(limit), "page": str(page)}
    if since_ms and until_s:
        params["date_modified:max"] = _iso(until_s * 1000)
    return await api.get("customers/subscribers/list", "/v3/customers/subscribers", params)


class _InCatalog(msgspec.Struct, frozen=True):
    brand_id: int | str | None = None
    categories: list[int | str] | None = None


async def _products(api: StoreApi, after: str, since_ms: int, limit: int) -> ListedPage:
    """By rising id, each call behind the last id of the one before, up to the newest id at the beginning; with all variants.

    The cursor is `{the last id}/{the newest id at the beginning}/{page}/{products a page}`: a page beyond the first only where no product
    of one has an id that can be read. Source: docs/facts/bigcommerce.md 2.7
    """
    last_id, ceiling, page, was = _numbers(after, 4, _largest("product")) if after else (0, await _newest_product(api), 1, limit)
    page, limit = _beyond(page, was, limit)
    place = {"id:greater": str(last_id), "id:max": str(ceiling), "sort": "id", "direction": "asc", "page": str(page), "limit": str(limit)}
    answer = await api.get("products/list", "/v3/catalog/products", PRODUCT_PARAMS | _since_v3(since_ms) | place)
    listed: _List = decode_answer(answer, _List)
    named, unnamed = _split(listed.data)
    items = [*named.values(), *unnamed]
    last_named = _last(named)
    following = f"{last_named}/{ceiling}/1/{limit}" if last_named else f"{last_id}/{ceiling}/{page + 1}/{len(items)}"
    brands, paths = await _catalog_names(api, items)
    end = not items or last_named >= ceiling
    return ListedPage(items, answer.read_at_ms, "" if end else following, brand_names=brands, category_paths=paths)


async def _newest_product(api: StoreApi) -> int:
    """Its id; 0 where there is none, NO_CEILING where it cannot be read."""
    answer = await api.get("products/list", "/v3/catalog/products", {"sort": "id", "direction": "desc", "limit": "1"})
    listed: _List = decode_answer(answer, _List)
    return _ceiling(listed.data)


_names_in_catalog: WeakKeyDictionary[StoreApi, CatalogNames] = WeakKeyDictionary()
"""As `_names`."""


async def _catalog_names(api: StoreApi, products: list[bytes]) -> tuple[dict[str, str], dict[str, list[str]]]:
    placed = [place for place in map(_in_catalog, products) if place]
    brands = frozenset(str(place.brand_id) for place in placed if place.brand_id)
    categories = frozenset(str(id) for place in placed for id in place.categories or [])
    names = _names_in_catalog.setdefault(api, CatalogNames())
    await names.learn(api, brands, categories)
    return names.of(brands, categories)


def _in_catalog(product: bytes) -> _InCatalog | None:
    """None of a body that is at fault: whoever reads it says which field it is."""
    try:
        return msgspec.json.decode(product, type=_InCatalog)
    except (msgspec.DecodeError, ValueError):
        return None


# V2: orders by id


class _Count(msgspec.Struct, frozen=True):
    count: int


class _Archived(msgspec.Struct, frozen=True):
    is_deleted: bool = False


class _Place(msgspec.Struct, frozen=True):
    """Where a listing of orders goes on."""

    turn: int  # of ORDER_PASSES
    min_id: int
    ceiling: int  # the newest id when the listing began: it ends, however many orders come meanwhile
    page: int = 1  # beyond the first only where no order of a page has an id that can be read
    limit: int = PAGE_MAX  # orders a page, as far as `page` counts

    @property
    def cursor(self) -> str:
        return "" if self.turn == len(ORDER_PASSES) else f"{self.turn}/{self.min_id}/{self.ceiling}/{self.page}/{self.limit}"

    @property
    def next_pass(self) -> "_Place":
        return _Place(self.turn + 1, 1, self.ceiling)

    def behind(self, last_id: int) -> "_Place":
        return self.next_pass if last_id >= self.ceiling else _Place(self.turn, last_id + 1, self.ceiling)


async def _orders(api: StoreApi, after: str, since_ms: int, limit: int) -> ListedPage:
    """By rising id, in three passes: each call begins behind the last id of the one before.

    Where BigCommerce does not know `is_deleted`, which no present document names, the last pass ends at its first page: nothing on it is
    archived. Source: docs/facts/bigcommerce.md 2.5
    """
    place = _Place(*_numbers(after, 5, _largest("order"))) if after else _Place(0, 1, await _newest_order(api))
    while True:
        page, per_page = _beyond(place.page, place.limit, limit)
        params = {"min_id": str(place.min_id), "max_id": str(place.ceiling), "page": str(page), "limit": str(per_page)}
        answer, raws = await _order_list(api, place.turn, ORDER_PARAMS | params | _since_v2(since_ms) | {"sort": "id:asc"})
        if place.turn == ARCHIVED and not any(map(_is_archived, raws)):
            raws = []
        if raws:
            break
        place = place.next_pass
        if not place.cursor:
            return ListedPage([], answer.read_at_ms, "")
    named, unnamed = _split(raws)
    last_id = _last(named)
    following = place.behind(last_id) if last_id else replace(place, page=page + 1, limit=len(raws))
    return ListedPage([*(await whole_orders(api, named)).values(), *unnamed], answer.read_at_ms, following.cursor)


async def _newest_order(api: StoreApi) -> int:
    """Its id, whatever its state; 0 where there is none, NO_CEILING where it cannot be read."""
    newest = [await _order_list(api, turn, {"sort": "id:desc", "limit": "1"}) for turn in range(len(ORDER_PASSES))]
    return _ceiling(raw for _, raws in newest for raw in raws)


async def _order_list(api: StoreApi, turn: int, params: dict[str, str]) -> tuple[Answer, list[msgspec.Raw]]:
    answer = await api.get("orders/list", "/v2/orders", params | ORDER_PASSES[turn])
    return answer, [] if answer.status == 204 else decode_answer(answer, list[msgspec.Raw])


def _is_archived(raw: msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(raw, type=_Archived).is_deleted
    except (msgspec.DecodeError, ValueError):
        return False


# what they share


def _split(raws: list[msgspec.Raw]) -> tuple[dict[str, bytes], list[bytes]]:
    """The entities by id, and those without one that can be read."""
    by_id = [(id_of(raw), bytes(raw)) for raw in raws]
    return {id: body for id, body in by_id if id}, [body for id, body in by_id if not id]


def _last(named: Iterable[str]) -> int:
    """The highest of these ids; 0 where none is a number."""
    return max((int(id) for id in named if id.isdigit()), default=0)


def _ceiling(newest: Iterable[msgspec.Raw]) -> int:
    """The highest id of these entities; 0 where there is none, NO_CEILING where one cannot be read."""
    return max((int(id) if id.isdigit() else NO_CEILING for id in map(id_of, newest)), default=0)


def _largest(resource: str) -> int:
    return min(PAGE_MAX, PRODUCTS_PER_CALL_MAX) if resource == "product" else PAGE_MAX


def _renumbered(page: int, was: int, limit: int) -> tuple[int, int]:
    """The last page of what the first `page` pages of `was` entities hold, in pages of `limit`, and their size.

    That stays as it was where the new pages would not end there. Nor does it grow: BigCommerce may give smaller pages than were asked for.
    """
    limit = min(was, limit)
    return (page, was) if page * was % limit else (page * was // limit, limit)


def _beyond(page: int, was: int, limit: int) -> tuple[int, int]:
    """Page number `page` of pages of `was` entities, in pages of `limit`, as `_renumbered`; the first page may be as large as it likes."""
    if page == 1:
        return 1, limit
    before, limit = _renumbered(page - 1, was, limit)
    return before + 1, limit


def _numbers(cursor: str, count: int, last: int | None = None) -> list[int]:
    """What stands in a cursor; `last` stands in for the last number, which earlier releases did not write."""
    parts = cursor.split("/")
    if last is not None and len(parts) == count - 1:
        parts.append(str(last))
    if len(parts) != count or not all(part.isascii() and part.isdigit() for part in parts):
        raise Undecodable("no cursor of this listing", "after")
    return [int(part) for part in parts]


def _since_v3(since_ms: int) -> dict[str, str]:
    return {"date_modified:min": _iso(since_ms)} if since_ms else {}


def _since_v2(since_ms: int) -> dict[str, str]:
    return {"min_date_modified": format_datetime(datetime.fromtimestamp(since_ms // 1000, UTC))} if since_ms else {}


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
