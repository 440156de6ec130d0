"""What is read of a store: entities as raw JSON by id, so that nothing that BigCommerce gave is lost or changed."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from bigcommerce.client import Answer, StoreApi
from bigcommerce.orders import has_lines
from schemas.failures import Undecodable

IDS_PER_CALL_MAX = 250  # BigCommerce's largest page; as many ids make an address of about 3 kB
PRODUCTS_PER_CALL_MAX = 50  # each comes with all its variants, some hundreds at most: a larger page would take seconds
CUSTOMER_PARAMS = {"include": "addresses,attributes,formfields"}
PRODUCT_PARAMS = {"include": "variants,primary_image"}
ORDER_PARAMS = {"include": "consignments.line_items", "consignment_structure": "object"}


class Read(msgspec.Struct, frozen=True):
    """One answer, or several that count as one.

    unnamed: how many entities in it have no id that can be read, or one that was not asked for.
    """

    found: dict[str, bytes]
    unnamed: int
    read_at_ms: int


class Category(msgspec.Struct, frozen=True):
    """`parent_id` is "0" at the root."""

    name: str
    parent_id: str


class _Named(msgspec.Struct, frozen=True):
    id: int | str


class _Pagination(msgspec.Struct, frozen=True):
    total_pages: int = 1


class _Meta(msgspec.Struct, frozen=True):
    pagination: _Pagination = _Pagination()


class _ListV3(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]
    meta: _Meta = _Meta()


class _OneV3(msgspec.Struct, frozen=True):
    data: msgspec.Raw


async def read_customers(api: StoreApi, ids: list[str]) -> Read:
    """Customers with all their addresses, attributes and form fields, for at most IDS_PER_CALL_MAX ids.

    One call; one more each for the addresses and the attributes of all customers that have more of them than BigCommerce embeds.
    An id that is not in `found` was not there. Raises AccessLost, Reject; Undecodable: the answer as a whole cannot be read.
    Source: docs/facts/bigcommerce.md 2.3 · example: tests/examples/bigcommerce/rest/customers_v3_page.json
    """
    read = await _read_list(api, "customers", "/v3/customers", ids, CUSTOMER_PARAMS)
    return replace(read, found=await whole_customers(api, read.found))


async def read_subscribers(api: StoreApi, ids: list[str]) -> Read:
    """Subscribers, as `read_customers`.

    Source: docs/facts/bigcommerce.md 2.4 · example: tests/examples/bigcommerce/rest/subscriber_v3_one.constructed.json
    """
    return await _read_list(api, "subscribers", "/v3/customers/subscribers", ids, {})


async def read_products(api: StoreApi, ids: list[str]) -> Read:
    """Products with all their variants, for at most PRODUCTS_PER_CALL_MAX ids, as `read_customers`.

    Source: docs/facts/bigcommerce.md 2.7 · example: tests/examples/bigcommerce/rest/product_v3_one.json
    """
    return await _read_list(api, "products", "/v3/catalog/products", ids, PRODUCT_PARAMS)


async def read_cart(api: StoreApi, id: str) -> Read:
    """One cart. Raises as `read_customers`.

    Source: docs/facts/bigcommerce.md 2.6 · example: tests/examples/bigcommerce/rest/cart_v3_after_item_delete.json
    """
    answer = await api.get("carts", f"/v3/carts/{id}", may_be_missing=True)
    raws = [] if answer.status == 404 else [decode_answer(answer, _OneV3).data]
    return _by_id(raws, {id}, answer.read_at_ms)


async def read_order(api: StoreApi, id: str) -> Read:
    """One order by its own address, where Incomplete and archived ones answer too; lines included. Raises as `read_customers`.

    Source: docs/facts/bigcommerce.md 2.5 · example: tests/examples/bigcommerce/rest/orders_v2_one.json
    """
    answer = await api.get("orders/one", f"/v2/orders/{id}", ORDER_PARAMS, may_be_missing=True)
    raws = [] if answer.status != 200 else [decode_answer(answer, msgspec.Raw)]
    read = _by_id(raws, {id}, answer.read_at_ms)
    return replace(read, found=await whole_orders(api, read.found))


async def read_orders(api: StoreApi, ids: list[str], *, incomplete: bool = False) -> Read:
    """Orders by the range from the lowest to the highest id, at most IDS_PER_CALL_MAX wide; one call; lines included.

    Lists leave out Incomplete (`incomplete` reads those only) and archived orders. Raises as `read_customers`.
    Source: docs/facts/bigcommerce.md 2.5 · example: tests/examples/bigcommerce/rest/orders_v2_one.json
    """
    numbers = sorted(map(int, ids))
    params = ORDER_PARAMS | {"min_id": str(numbers[0]), "max_id": str(numbers[-1]), "limit": str(IDS_PER_CALL_MAX)}
    answer = await api.get("orders/range", "/v2/orders", params | {"status_id": "0"} if incomplete else params)
    raws = [] if answer.status == 204 else decode_answer(answer, list[msgspec.Raw])
    every = map(str, range(numbers[0], numbers[-1] + 1))
    read = _by_id(raws, every, answer.read_at_ms)
    wanted = {id: read.found[id] for id in ids if id in read.found}
    return replace(read, found=await whole_orders(api, wanted))


async def read_attribute_names(api: StoreApi) -> dict[str, str]:
    """Customer attributes: id to the name that the merchant gave. Raises as `read_customers`. Source: docs/facts/bigcommerce.md 2.3"""
    names: dict[str, str] = {}
    for raw in (await _read_pages(api, "customers/attributes", "/v3/customers/attributes", {}))[0]:
        attribute = _json(raw)
        if isinstance(attribute, dict) and isinstance(name := attribute.get("name"), str):
            names[str(attribute.get("id"))] = name
    return names


async def read_brands(api: StoreApi) -> dict[str, str]:
    """Brands: id to name. Raises as `read_customers`.

    Source: docs/facts/bigcommerce.md 2.7 · example: tests/examples/bigcommerce/rest/brands_v3_page.json
    """
    rows = map(_json, (await _read_pages(api, "catalog/brands", "/v3/catalog/brands", {}))[0])
    return {str(row.get("id")): name for row in rows if isinstance(row, dict) and isinstance(name := row.get("name"), str)}


async def read_categories(api: StoreApi) -> dict[str, Category]:
    """Categories of all trees, by id. Raises as `read_customers`.

    Source: docs/facts/bigcommerce.md 2.7 · example: tests/examples/bigcommerce/rest/category_trees_categories.json
    """
    rows = map(_json, (await _read_pages(api, "catalog/categories", "/v3/catalog/trees/categories", {}))[0])
    return {
        str(row.get("category_id")): Category(name, str(row.get("parent_id") or 0))
        for row in rows
        if isinstance(row, dict) and isinstance(name := row.get("name"), str)
    }


async def whole_customers(api: StoreApi, found: dict[str, bytes]) -> dict[str, bytes]:
    """Customers of a list by id, with all their addresses and attributes: one call more for each of the two that some have too many of."""
    found = await _with_all(api, found, "addresses", "address_count", "customers/addresses")
    return await _with_all(api, found, "attributes", "attribute_count", "customers/attribute-values")


async def whole_orders(api: StoreApi, found: dict[str, bytes]) -> dict[str, bytes]:
    """Orders of a list by id; those that came without their lines have them as lists `products` and `shipping_addresses`."""
    return {id: body if _has_lines(body) else await _add_lines(api, id, body) for id, body in found.items()}


async def _with_all(api: StoreApi, found: dict[str, bytes], name: str, count: str, endpoint: str) -> dict[str, bytes]:
    """The customers with all of their `name`: BigCommerce embeds ten at most, and `count` says how many there are."""
    cut = [id for id, body in found.items() if _is_cut(body, name, count)]
    if not cut:
        return found
    rows: dict[str, list[msgspec.Raw]] = {id: [] for id in cut}
    for raw in (await _read_pages(api, endpoint, f"/v3/{endpoint}", {"customer_id:in": ",".join(cut)}))[0]:
        row = _json(raw)
        if isinstance(row, dict) and (owner := str(row.get("customer_id"))) in rows:
            rows[owner].append(raw)
    return found | {id: _with(found[id], **{name: rows[id]}) for id in cut if rows[id]}


def _is_cut(body: bytes, name: str, count: str) -> bool:
    """False too for a body that is at fault: its reader says which field it is."""
    customer = _json(body)
    if not isinstance(customer, dict):
        return False
    there, wanted = customer.get(name), customer.get(count)
    return isinstance(there, list) and isinstance(wanted, int) and len(there) < wanted


def _with(body: bytes, **lists: list[msgspec.Raw]) -> bytes:
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode(fields | {name: msgspec.Raw(msgspec.json.encode(rows)) for name, rows in lists.items()})


async def _read_list(api: StoreApi, endpoint: str, path: str, ids: list[str], params: dict[str, str]) -> Read:
    raws, read_at_ms = await _read_pages(api, endpoint, path, params | {"id:in": ",".join(ids)})
    return _by_id(raws, ids, read_at_ms)


async def _read_pages(api: StoreApi, endpoint: str, path: str, params: dict[str, str]) -> tuple[list[msgspec.Raw], int]:
    """All pages of a V3 list, and when the first was read."""
    raws: list[msgspec.Raw] = []
    read_at_ms, page, pages = 0, 0, 1
    while page < pages:  # more than one where BigCommerce gives smaller pages than we ask for: what is left out is not gone
        page += 1
        answer = await api.get(endpoint, path, params | {"limit": str(IDS_PER_CALL_MAX)} | ({"page": str(page)} if page > 1 else {}))
        part = decode_answer(answer, _ListV3)
        raws += part.data
        read_at_ms = read_at_ms or answer.read_at_ms
        pages = part.meta.pagination.total_pages if part.data else 0  # an empty page is the last one, whatever the total says
    return raws, read_at_ms


def id_of(raw: bytes | msgspec.Raw) -> str:
    """The id of an entity, "" where none can be read."""
    try:
        return str(msgspec.json.decode(raw, type=_Named).id)
    except (msgspec.DecodeError, ValueError):
        return ""


def _by_id(raws: list[msgspec.Raw], ids: Iterable[str], read_at_ms: int) -> Read:
    asked, found, unnamed = set(ids), {}, 0
    for raw in raws:
        id = id_of(raw)
        if id in asked:
            found[id] = bytes(raw)
        else:
            unnamed += 1
    return Read(found, unnamed, read_at_ms)


def _has_lines(body: bytes) -> bool:
    """True too for a body that is at fault: its reader says which field it is."""
    order = _json(body)
    try:
        return not isinstance(order, dict) or has_lines(order)
    except Undecodable:
        return True


async def _add_lines(api: StoreApi, id: str, body: bytes) -> bytes:
    lists: dict[str, list[msgspec.Raw]] = {}
    for name in ("products", "shipping_addresses"):
        rows = lists[name] = []
        page, more = 1, True
        while more:
            params = {"limit": str(IDS_PER_CALL_MAX), "page": str(page)}
            answer = await api.get(f"orders/{name}", f"/v2/orders/{id}/{name}", params, may_be_missing=True)
            listed = decode_answer(answer, list[msgspec.Raw]) if answer.status == 200 else []
            rows += listed
            page, more = page + 1, len(listed) == IDS_PER_CALL_MAX
    return _with(body, **lists)


def _json(raw: bytes | msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def decode_answer(answer: Answer, shape: Any) -> Any:
    """The answer's body as `shape`. Raises Undecodable."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Undecodable(f"the answer is not as documented ({type(error).__name__})") from None
