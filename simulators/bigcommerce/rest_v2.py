"""V2: orders, store information, time. Bare bodies; 204 where a list is empty (docs/facts/bigcommerce.md 2.5, 2.8)."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from simulators.bigcommerce.api import Answer, ApiError, Call
from simulators.bigcommerce.money import seconds_of
from simulators.bigcommerce.order_body import STATUSES, shipping_addresses

Body = dict[str, Any]
INCOMPLETE = 0
NOT_FOUND = "The requested resource was not found."
SORTS = ("id", "customer_id", "date_created", "date_modified", "status_id", "channel_id", "external_id")


def list_orders(call: Call) -> Answer:
    page, limit = call.page()
    key, _, way = call.query.get("sort", "id:asc").partition(":")
    if key not in SORTS or way not in ("", "asc", "desc"):
        raise ApiError(400, "The field 'sort' is invalid.")
    found = _matching(call, newest_first=way == "desc")
    if key.startswith("date_"):
        found = iter(sorted(found, key=lambda seen: _time(_order(seen), key), reverse=way == "desc"))
    elif key != "id":
        found = iter(sorted(found, key=lambda seen: _order(seen).get(key) or 0, reverse=way == "desc"))
    rows = [_shown(call, seen) for seen in itertools.islice(found, (page - 1) * limit, page * limit)]
    return (200, rows) if rows else (204, None)


def get_order(call: Call) -> Answer:
    return 200, _shown(call, _found(call))


def count_orders(call: Call) -> Answer:
    counts = dict.fromkeys(range(len(STATUSES)), 0)
    for seen in _matching(call):
        status = _order(seen).get("status_id")
        if status in counts:
            counts[status] += 1
    statuses = [{**_status(status_id), "count": count, "sort_order": status_id} for status_id, count in counts.items()]
    return 200, {"statuses": statuses, "count": sum(counts.values())}


def list_statuses(_: Call) -> Answer:
    return 200, [{**_status(status_id), "order": status_id} for status_id in range(len(STATUSES))]


def list_products(call: Call) -> Answer:
    return _part_page(call, _parts(call)["products"])


def list_coupons(call: Call) -> Answer:
    return _part_page(call, _parts(call)["coupons"])


def list_shipping_addresses(call: Call) -> Answer:
    return _part_page(call, shipping_addresses(_parts(call)))


def get_consignments(call: Call) -> Answer:
    return 200, _consignments(call, _parts(call), whole="consignments.line_items" in call.includes() or "line_items" in call.includes())


def get_time(call: Call) -> Answer:
    return 200, {"time": call.platform.clock() // 1000}


def get_store(call: Call) -> Answer:
    store = call.shop.store
    return 200, {
        "id": store.hash,
        "account_uuid": "8d4d492f-17a1-4d95-b396-e1c5720815a5",
        "domain": store.domain,
        "secure_url": store.secure_url,
        "control_panel_base_url": f"https://store-{store.hash}.mybigcommerce.com",
        "status": "live",
        "name": store.domain,
        "first_name": "Jane",
        "last_name": "Doe",
        "address": "",
        "country": "United States",
        "country_code": "US",
        "phone": "",
        "admin_email": "admin@example.com",
        "order_email": "orders@example.com",
        "timezone": {
            "name": "America/Chicago",
            "raw_offset": -21600,
            "dst_offset": -18000,
            "dst_correction": True,
            "date_format": {"display": "M jS Y", "export": "M jS Y", "extended_display": "M jS Y @ g:i A"},
        },
        "language": "en",
        "currency": store.currency,
        "currency_symbol": "$",
        "decimal_separator": ".",
        "thousands_separator": ",",
        "decimal_places": 2,
        "currency_symbol_location": "left",
        "weight_units": "Ounces",
        "dimension_units": "Inches",
        "plan_name": "Standard",
        "plan_level": "Standard",
        "plan_is_trial": False,
        "industry": "Technology",
        "logo": [],
        "is_price_entered_with_tax": False,
        "store_id": store.store_id,
        "default_channel_id": 1,
        "default_site_id": 1000,
        "active_comparison_modules": [],
        "features": {
            "stencil_enabled": True,
            "sitewidehttps_enabled": True,
            "facebook_catalog_id": "",
            "checkout_type": "optimized",
            "wishlists_enabled": True,
            "graphql_storefront_api_enabled": True,
            "shopper_consent_tracking_enabled": True,
            "multi_storefront_enabled": True,
            "storefront_limits": {"active": 3, "total_including_inactive": 4},
        },
    }


Check = Callable[[Body], bool]


def _matching(call: Call, *, newest_first: bool = False) -> Iterator[Body | bytes]:
    """Orders that the filters let through, by id. A raw body that is no object passes by its id alone."""
    low, high, checks = call.integer("min_id"), call.integer("max_id"), _checks(call)
    for _, seen in call.shop.all("order", low, high, newest_first=newest_first):
        order = _order(seen)
        if not order or all(check(order) for check in checks):
            yield seen


def _checks(call: Call) -> list[Check]:
    query, status = call.query, call.integer("status_id")
    archived = query.get("is_deleted") in ("true", "1")
    checks: list[Check] = [lambda order: bool(order.get("is_deleted")) == archived]
    if status is None:
        checks.append(lambda order: order.get("status_id") != INCOMPLETE)
    else:
        checks.append(lambda order: order.get("status_id") == status)
    if (customer_id := call.integer("customer_id")) is not None:
        checks.append(lambda order: order.get("customer_id") == customer_id)
    if (channel_id := call.integer("channel_id")) is not None:
        checks.append(lambda order: order.get("channel_id") == channel_id)
    if "cart_id" in query:
        checks.append(lambda order: order.get("cart_id") == query["cart_id"])
    if "email" in query:
        checks.append(lambda order: str((order.get("billing_address") or {}).get("email")).lower() == query["email"].lower())
    for name in ("date_created", "date_modified"):
        checks += [_not_before(name, at) for at in _bound(query, f"min_{name}")]
        checks += [_not_after(name, at) for at in _bound(query, f"max_{name}")]
    return checks


def _bound(query: dict[str, str], name: str) -> list[float]:
    try:
        return [seconds_of(query[name])] if name in query else []
    except ValueError:
        raise ApiError(400, f"The field '{name}' is invalid.") from None


def _not_before(name: str, at: float) -> Check:
    return lambda order: _time(order, name) >= at


def _not_after(name: str, at: float) -> Check:
    return lambda order: _time(order, name) <= at


def _time(order: Body, name: str) -> float:
    try:
        return seconds_of(order[name])
    except (KeyError, TypeError, ValueError):  # a raw body may hold anything
        return 0.0


def _order(seen: Body | bytes) -> Body:
    if isinstance(seen, bytes):
        try:
            raw = orjson.loads(seen)
        except orjson.JSONDecodeError:
            return {}
        return raw if isinstance(raw, dict) else {}
    order: Body = seen["order"]
    return order


def _shown(call: Call, seen: Body | bytes) -> Any:
    if isinstance(seen, bytes):
        return orjson.Fragment(seen)
    include = call.includes()
    if not include & {"consignments", "consignments.line_items"}:
        return seen["order"]
    consignments = _consignments(call, seen, whole="consignments.line_items" in include)
    as_object = call.query.get("consignment_structure") == "object"
    return {**seen["order"], "consignments": consignments if as_object else [consignments]}


def _consignments(call: Call, parts: Body, *, whole: bool) -> Body:
    """With their lines whole, or as links to them; at the knob's will one instead of a list of one."""
    single = call.platform.happens("single_as_object")

    def one(items: list[Any]) -> Any:
        return items[0] if single and len(items) == 1 else items

    def with_lines(consignment: Body) -> Body:
        lines = consignment["line_items"]
        return {**consignment, "line_items": one(lines if whole else [_link(call, line) for line in lines])}

    consignments: Body = parts["consignments"]
    shown = {name: one([with_lines(item) for item in consignments[name]]) for name in ("pickups", "shipping", "downloads")}
    gifts = one([with_lines(item) for item in consignments["email"]["gift_certificates"]])
    return {**shown, "email": {"gift_certificates": gifts}}


def _link(call: Call, line: Body) -> Body:
    resource = f"/orders/{line['order_id']}/products/{line['id']}"
    return {"url": f"{call.shop.store.api_url}/v2{resource}", "resource": resource}


def _found(call: Call) -> Body | bytes:
    seen = call.shop.find("order", call.ids["order_id"])
    if seen is None:
        raise ApiError(404, NOT_FOUND)
    return seen


def _parts(call: Call) -> Body:
    seen = _found(call)
    if isinstance(seen, bytes):
        raise ApiError(404, NOT_FOUND)
    return seen


def _part_page(call: Call, rows: list[Body]) -> Answer:
    page, limit = call.page()
    rows = rows[(page - 1) * limit : page * limit]
    return (200, rows) if rows else (204, None)


def _status(status_id: int) -> Body:
    name = STATUSES[status_id]
    return {"id": status_id, "name": name, "system_label": name, "custom_label": name, "system_description": ""}
