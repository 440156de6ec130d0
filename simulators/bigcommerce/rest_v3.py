"""V3: customers, subscribers, carts, hooks. Everything in `{"data", "meta"}` (docs/facts/bigcommerce.md 1.8, 2.3, 2.4, 2.6)."""

import base64
import bisect
import math
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from simulators.bigcommerce.api import Answer, ApiError, Call
from simulators.bigcommerce.money import seconds_of

Body = dict[str, Any]
INCLUDES = {"addresses": "addresses", "attributes": "attributes", "formfields": "form_fields", "storecredit": "store_credit_amounts"}
"""Query word and key of what a customer's body leaves out by default."""
EMBEDDED_MAX = 10  # addresses, and attributes, in a customer's body. Which ten is not documented: here the newest


def list_customers(call: Call) -> Answer:
    """By id, or as `sort` says: date_created, date_modified or last_name. Pages, or the cursor `after`."""
    checks = [*_texts(call, "email", "name", "company", "phone"), *times(call)]
    if (groups := call.ints("customer_group_id:in")) is not None:
        checks.append(lambda row: row.get("customer_group_id") in groups)
    rows = matching(call, "customer", checks)
    ids = [key for key, _, _ in rows]
    key, _, way = call.query.get("sort", "").partition(":")
    if key in ("date_created", "date_modified", "last_name") and way in ("", "asc", "desc"):
        rows.sort(key=lambda row: str(row[1].get(key, "")), reverse=way == "desc")
    elif key:
        raise ApiError(422, "Invalid sort", {"sort": "unknown"})
    hidden = {key for word, key in INCLUDES.items() if word not in call.includes()}
    return page_of(call, [seen for _, _, seen in rows], cursors=None if key else ids, hidden=hidden, cut=("addresses", "attributes"))


def list_attributes(call: Call) -> Answer:
    rows = [{"id": number, "name": name, "type": "string"} for name, number in call.shop.attribute_ids.items()]
    return page_of(call, rows)


def list_addresses(call: Call) -> Answer:
    ids = call.ints("id:in")
    return page_of(call, [address for address in _embedded(call, "addresses") if ids is None or address["id"] in ids])


def list_attribute_values(call: Call) -> Answer:
    ids = call.ints("attribute_id:in")
    return page_of(call, [value for value in _embedded(call, "attributes") if ids is None or value["attribute_id"] in ids])


def _embedded(call: Call, name: str) -> list[Body]:
    """All of the customers that are asked for."""
    owners = call.ints("customer_id:in")
    customers = (seen for id, seen in call.shop.all("customer") if isinstance(seen, dict) and (owners is None or id in owners))
    return [item for seen in customers for item in seen[name]]


def list_subscribers(call: Call) -> Answer:
    checks = [*_texts(call, "email", "first_name", "last_name", "source"), *times(call)]
    if (order_id := call.integer("order_id")) is not None:
        checks.append(lambda row: row.get("order_id") == order_id)
    return page_of(call, [seen for _, _, seen in matching(call, "subscriber", checks)])


def get_subscriber(call: Call) -> Answer:
    return one(call, "subscriber", call.ids["subscriber_id"])


def get_cart(call: Call) -> Answer:
    return one(call, "cart", call.ids["cart_id"])


def list_hooks(call: Call) -> Answer:
    hooks = [hook for hook in call.hooks.by_id.values() if hook.client_id == call.shop.store.client_id]
    query = call.query
    if "is_active" in query:
        hooks = [hook for hook in hooks if hook.is_active == (query["is_active"] == "true")]
    hooks = [
        hook
        for hook in hooks
        if query.get("scope", hook.scope) == hook.scope and query.get("destination", hook.destination) == hook.destination
    ]
    return page_of(call, [hook.body() for hook in hooks])


def create_hook(call: Call) -> Answer:
    return 200, _data(call.hooks.create(call.shop.store.client_id, call.json(), call.platform.clock() // 1000).body())


def get_hook(call: Call) -> Answer:
    return 200, _data(call.hooks.get(call.shop.store.client_id, call.ids["hook_id"]).body())


def update_hook(call: Call) -> Answer:
    hook = call.hooks.update(call.shop.store.client_id, call.ids["hook_id"], call.json(), call.platform.clock() // 1000)
    return 200, _data(hook.body())


def delete_hook(call: Call) -> Answer:
    return 200, _data(call.hooks.delete(call.shop.store.client_id, call.ids["hook_id"]).body())


def get_hooks_admin(call: Call) -> Answer:
    rows = []
    destinations = set()
    for hook in call.hooks.by_id.values():
        destinations.add(urlsplit(hook.destination).netloc)
        status = "active" if hook.is_active else "deactivated" if hook.deactivated else "inactive"
        if "is_active" not in call.query or hook.is_active == (call.query["is_active"] == "true"):
            rows.append({**hook.body(), "status": status})
    scale = call.platform.knobs.retry_scale
    blocked = [
        {"destination": name, "time_left": math.ceil(left_s), "reasons": []}
        for name, domain in call.platform.domains.items()
        if name in destinations and (left_s := domain.blocked_s(scale)) > 0
    ]
    return 200, _data({"emails": [], "hooks_list": rows, "blocked_domains": blocked})


def _data(data: Any) -> Body:
    return {"data": data, "meta": {}}


def one(call: Call, kind: str, entity_id: int | str) -> Answer:
    seen = call.shop.find(kind, entity_id)
    if seen is None:
        raise ApiError(404, "Not found")
    return 200, _data(orjson.Fragment(seen) if isinstance(seen, bytes) else seen)


Check = Callable[[Body], bool]


def matching(call: Call, kind: str, checks: list[Check]) -> list[tuple[int | str, Body, Body | bytes]]:
    """(id, fields to filter and sort by, what to show), by id. A raw body that is no object passes by its id alone."""
    filters = sorted((name, value) for name, value in call.query.items() if name not in ("page", "after", "limit"))
    return list(call.shop.listed((kind, *filters), lambda: _looked_up(call, kind, checks)))


def _looked_up(call: Call, kind: str, checks: list[Check]) -> list[tuple[int | str, Body, Body | bytes]]:
    ids = call.ints("id:in")
    if ids is None and "id" in call.query:
        ids = call.ints("id")
    pairs = (
        call.shop.all(kind) if ids is None else ((key, seen) for key in sorted(set(ids)) if (seen := call.shop.find(kind, key)) is not None)
    )
    rows = ((key, _fields(seen), seen) for key, seen in pairs)
    return [(key, row, seen) for key, row, seen in rows if not row or all(check(row) for check in checks)]


def _fields(seen: Body | bytes) -> Body:
    if isinstance(seen, dict):
        return seen
    try:
        raw = orjson.loads(seen)
    except orjson.JSONDecodeError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _texts(call: Call, *names: str) -> list[Check]:
    """`name` and `name:in`, in any case of letters."""
    checks: list[Check] = []
    for name in names:
        given = call.query.get(f"{name}:in", call.query.get(name))
        if given is not None:
            wanted = {item.strip().lower() for item in given.split(",")}
            checks.append(lambda row, name=name, wanted=wanted: _text(row, name) in wanted)  # type: ignore[misc]
    return checks


def _text(row: Body, name: str) -> str:
    value = f"{row.get('first_name', '')} {row.get('last_name', '')}" if name == "name" else row.get(name, "")
    return str(value).lower()


def times(call: Call) -> list[Check]:
    checks: list[Check] = []
    for name in ("date_created", "date_modified"):
        for suffix, holds in (
            ("", lambda at, limit: at == limit),
            (":min", lambda at, limit: at >= limit),
            (":max", lambda at, limit: at <= limit),
        ):
            if given := call.query.get(name + suffix):
                try:
                    limit = seconds_of(given)
                except ValueError:
                    raise ApiError(422, "Invalid date", {name + suffix: "not a date"}) from None
                checks.append(lambda row, name=name, limit=limit, holds=holds: holds(_time(row, name), limit))  # type: ignore[misc]
    return checks


def _time(row: Body, name: str) -> float:
    try:
        return seconds_of(row[name])
    except (KeyError, TypeError, ValueError):  # a raw body may hold anything
        return 0.0


def page_of(
    call: Call,
    rows: list[Any],
    *,
    cursors: list[int | str] | None = None,
    hidden: Collection[str] = (),
    cut: Collection[str] = (),
    limit_max: int | None = None,
) -> Answer:
    """A page of `rows` without their `hidden` keys, and EMBEDDED_MAX items of their lists `cut`.

    With their ids in `cursors` also by `after`, the id that the page before ended with.
    """
    page, limit = call.page()
    limit = min(limit, limit_max or limit)
    total = len(rows)
    first = (page - 1) * limit
    by_cursor = cursors is not None and "after" in call.query
    if cursors is not None and by_cursor:  # then the page is ignored
        first, page = bisect.bisect_right(cursors, _position(call.query["after"])), 1
    rows = [_shown(row, hidden, cut) for row in rows[first : first + limit]]
    pages = math.ceil(total / limit)
    links = {"current": _link(call, page=page)}
    if page > 1:
        links["previous"] = _link(call, page=page - 1)
    if page < pages:
        links["next"] = _link(call, page=page + 1)
    meta: Body = {
        "pagination": {"total": total, "count": len(rows), "per_page": limit, "current_page": page, "total_pages": pages, "links": links}
    }
    if cursors is not None and rows and (by_cursor or page == 1):
        start, end = _cursor(cursors[first]), _cursor(cursors[first + len(rows) - 1])
        more = {"next": _link(call, after=end)} if first + len(rows) < total else {}
        meta["cursor_pagination"] = {"count": len(rows), "per_page": limit, "start_cursor": start, "end_cursor": end, "links": more}
    return 200, {"data": rows, "meta": meta}


def _shown(row: Any, hidden: Collection[str], cut: Collection[str]) -> Any:
    if isinstance(row, bytes):
        return orjson.Fragment(row)
    if not hidden and not cut:
        return row
    return {key: value[-EMBEDDED_MAX:] if key in cut else value for key, value in row.items() if key not in hidden}


def _link(call: Call, **changes: Any) -> str:
    return "?" + urlencode({**{name: value for name, value in call.query.items() if name not in ("page", "after")}, **changes})


def _cursor(entity_id: int | str) -> str:
    return base64.urlsafe_b64encode(str(entity_id).encode()).decode()


def _position(cursor: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor))
    except ValueError:
        raise ApiError(422, "Invalid cursor", {"after": "unknown"}) from None
