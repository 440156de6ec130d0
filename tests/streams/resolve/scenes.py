"""BigCommerce's example bodies, some completed with what they leave out, on their way through fetch's states and all of resolve.

`track` gives what a project would be told; `changed` says which property another body changes.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from itertools import permutations
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import replace as with_fields

from bigcommerce.values import parse_time_ms
from schemas.entities import CustomerState
from schemas.failures import Undecodable
from schemas.records import Origin, encode, headers_of
from streams.fetch.rules.state import make_state
from streams.resolve.rules.change import Store
from tests.streams.resolve.line import STORE, Line, iso, rfc2822

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "bigcommerce" / "rest"
Body = dict[str, Any]
Path_ = tuple[str | int, ...]


def example(name: str) -> Any:
    return orjson.loads((EXAMPLES / f"{name}.json").read_bytes())


@dataclass(frozen=True)
class Scene:
    """Bodies in the order in which fetch reads them: each with its resource and the id that was asked for."""

    name: str
    bodies: tuple[tuple[str, str, Body], ...]
    store: Store = STORE
    attribute_names: dict[str, str] = field(default_factory=dict)

    def with_body(self, index: int, body: Body) -> "Scene":
        resource, id, _ = self.bodies[index]
        return replace(self, bodies=(*self.bodies[:index], (resource, id, body), *self.bodies[index + 1 :]))


Told = dict[str, list[dict[str, Any]]]  # table of schemas/tracking.py to its events; of the profile one, of ids one a command


def track(scene: Scene) -> tuple[Told, list[str]]:
    """What is told, and the fields of the dead letters."""
    line = Line(stores=[scene.store])
    letters = []
    for n, (resource, id, body) in enumerate(scene.bodies):
        try:
            made = make_state(scene.store.store, resource, id, orjson.dumps(body), 2_000_000_000_000 + n * 60_000)
        except Undecodable as failure:
            letters.append(failure.field)
            continue
        state = made.state
        if isinstance(state, CustomerState):
            state = with_fields(state, attribute_names=scene.attribute_names)
        line.put(made.topic.name, made.key, encode(state), headers_of(state, Origin("", 1)))
        line.run()
    told: Told = defaultdict(list)
    for event in line.events():
        told[event["event_type"]].append({"timestamp": event["timestamp"], **event["properties"]})
    told["profile"] = list(line.properties().values())
    told["ids"] = [command["customer_ids"] for command in line.bodies()]
    return dict(told), letters + [letter.field for letter in line.letters]


def changed(before: Told, after: Told) -> Iterator[tuple[str, str]]:
    """Table and property of what is another now, where as many events of the table are told; items are paired as they fit best."""
    for table in before.keys() & after.keys() - {"ids"}:
        old, new = before[table], after[table]
        if len(old) == len(new):
            found = [
                {name for a, b in zip(old, p, strict=True) for name in a.keys() | b.keys() if a.get(name) != b.get(name)}
                for p in permutations(new)
            ]
            yield from ((table, name) for name in min(found, key=len))


def values(told: Told, table: str, name: str) -> list[str]:
    """All values of a property, in one form; `bigcommerce_*` is any of them."""
    pattern = re.compile(re.escape(name).replace(r"\*", ".*"))
    return sorted(repr((n, v)) for event in told.get(table, []) for n, v in event.items() if pattern.fullmatch(n))


# Bodies: where they are, and with one field another.

PLACES = (  # in a body of that resource, as schemas/tracking.py names it
    (r"order\.products\[\]", "order.line"),
    (r"order\.consignments\.(shipping|pickups|downloads|email)\[\](\.gift_certificates\[\])?\.line_items\[\]", "order.line"),
    (r"order\.shipping_addresses\[\]", "order.shipment"),
    (r"order\.consignments\.shipping\[\]", "order.shipment"),
    (r"cart\.line_items\.\w+\[\]", "cart.line"),
    (r"customer\.addresses\[\]", "customer.address"),
)


def place_of(resource: str, path: Path_) -> str:
    """`order.line.price_inc_tax` of ("products", 0, "price_inc_tax")."""
    found = resource + "".join("[]" if isinstance(step, int) else f".{step}" for step in path)
    for pattern, name in PLACES:
        found = re.sub(f"^{pattern}", name, found)
    return found


def leaves(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The paths of all values that are no object and no list of objects."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, (*path, name))
    elif isinstance(node, list) and node and all(isinstance(item, dict) for item in node):
        for n, item in enumerate(node):
            yield from leaves(item, (*path, n))
    else:
        yield path


def without(body: Body, path: Path_) -> Body:
    copy = deepcopy(body)
    del _parent(copy, path)[path[-1]]
    return copy


def put(body: Body, path: Path_, value: Any) -> Body:
    copy = deepcopy(body)
    _parent(copy, path)[path[-1]] = value
    return copy


def get(body: Body, path: Path_) -> Any:
    return _parent(body, path)[path[-1]]


def _parent(node: Any, path: Path_) -> Any:
    for step in path[:-1]:
        node = node[step]
    return node


def others(value: Any) -> list[Any]:
    """Values of the same kind that are another."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    if isinstance(value, list):
        return [value[1:], value[:1], []]
    if not isinstance(value, str):
        return []
    if (ms := parse_time_ms(value)) is not None and len(value) > 10:
        return [(iso if value[0].isdigit() else rfc2822)(ms + days * 86_400_000) for days in (-1, 1)]
    try:
        return [str(Decimal(value) + 1), str(Decimal(value) - 1)]
    except InvalidOperation:
        return [f"{value}x", "manual", "JPY", "USD"]


def altered(scene: Scene) -> Iterator[tuple[str, Scene]]:
    """The scene with one field another, gone or null; for each field of each body, and of the store. With the field's place."""
    for n, (resource, _, body) in enumerate(scene.bodies):
        for path in leaves(body):
            place = place_of(resource, path)
            for value in [*others(get(body, path)), None]:
                yield place, scene.with_body(n, put(body, path, value))
            yield place, scene.with_body(n, without(body, path))
    yield "store.domain", replace(scene, store=replace(scene.store, domain="other.example.com"))
    yield "store.currency", replace(scene, store=replace(scene.store, currency="JPY"))


def stripped(scene: Scene, places: tuple[str, ...], *, null: bool) -> Scene:
    """The scene without these fields in any body."""
    for n, (resource, _, body) in enumerate(scene.bodies):
        for path in leaves(body):
            if place_of(resource, path) in places:
                _, _, last = scene.bodies[n]
                scene = scene.with_body(n, put(last, path, None) if null else without(last, path))
    return scene


# The scenes. The first one that a table occurs in is what the document shows.

DATES = {"date_created": "2019-01-01T00:00:00Z", "date_modified": "2019-06-01T00:00:00Z"}
FORM_FIELDS = [f for f in example("customers_v3_form_fields")["data"] if f.get("customer_id") == 11]
CUSTOMER = DATES | {  # no example shows a whole account: the page has neither id nor dates
    "id": 11,
    "email": "John.Doe@example.com ",
    "first_name": "Johnny",
    "last_name": "D.",
    "company": "",
    "phone": "",
    "customer_group_id": 0,
    "addresses": example("customers_v3_addresses_page")["data"],
    "form_fields": FORM_FIELDS,
    "attributes": [],
}


def order_body(**changes: Any) -> Body:
    """The example order with its example lines, which name no variant and no coupon: the first one bears both.

    The second one has an id with room beside it, so that another id of a line can be one of neither.
    """
    first, second = example("orders_v2_products")
    discounts = [discount | {"code": example("orders_v2_coupons")[0]["code"]} for discount in first["applied_discounts"]]
    lines = [first | {"variant_id": 351, "applied_discounts": discounts}, second | {"id": 68}]
    return example("orders_v2_one") | {"products": lines, "shipping_addresses": example("orders_v2_shipping_addresses")[:1]} | changes


def in_consignments(order: Body) -> Body:
    lines, shipments = order["products"], order["shipping_addresses"]
    link = {"url": "", "resource": ""}
    shipping = [shipment | {"line_items": lines[:1]} for shipment in shipments]
    consignments = {"shipping": shipping, "pickups": [], "downloads": [{"line_items": lines[1:]}], "email": {"gift_certificates": []}}
    return order | {"products": link, "shipping_addresses": link, "consignments": consignments}


CART = example("cart_v3_after_item_delete")["data"]
LINES = CART["line_items"]
CHANGES = (LINES, {"physical_items": LINES["physical_items"]}, {"physical_items": [LINES["physical_items"][0] | {"quantity": 6}]})
COUPON = {"id": "1", "code": "S2549JM0Y", "coupon_type": "percentage_discount", "discounted_amount": 1}


def guests_cart(version: int, lines: Body) -> Body:
    return CART | {"customer_id": 0, "version": version, "line_items": lines}


SUBSCRIBER = example("subscriber_v3_one.constructed")["data"]
GUEST = {"customer_id": 0}
EURO = {"currency_code": "EUR", "default_currency_code": "EUR", "store_default_to_transactional_exchange_rate": "0.8000000000"}
SHOWN = GUEST | {
    "default_currency_code": "",
    "store_default_to_transactional_exchange_rate": "2.0000000000",
    "products": [{k: v for k, v in line.items() if k != "discounted_total_inc_tax"} for line in order_body()["products"]],
}
SHIPPED = {"status_id": 2, "date_modified": "Tue, 12 Mar 2019 15:17:25 +0000"}

ACCOUNT = ("customer", "11", CUSTOMER)
SCENES = (
    Scene("an account that buys", (ACCOUNT, ("order", "218", order_body()))),
    Scene(
        "a later status",
        (
            ACCOUNT,
            ("order", "218", order_body(status_id=11, date_modified="Tue, 05 Mar 2019 21:40:11 +0000")),
            ("order", "218", order_body()),
        ),
    ),
    Scene("a cart", (ACCOUNT, ("cart", CART["id"], CART | {"version": 3, "coupons": [COUPON]}))),
    Scene("a subscriber", (("subscriber", "5", SUBSCRIBER),)),
    Scene(
        "a guest who pays in euros",
        (("order", "218", in_consignments(order_body(**GUEST, **EURO))), ("order", "218", order_body(**GUEST, **EURO, **SHIPPED))),
    ),
    Scene(
        "an order in the currency that it shows, whose lines name no discounted total",
        (("order", "218", order_body(**SHOWN)), ("order", "218", order_body(**SHOWN, **SHIPPED))),
    ),
    Scene("an order that names no currency", (("order", "218", order_body(**GUEST, default_currency_code="", currency_code="")),)),
    Scene(
        "a guest's cart that changes", tuple(("cart", CART["id"], guests_cart(version, lines)) for version, lines in enumerate(CHANGES, 3))
    ),
    Scene("a subscriber to the newsletter alone", (("subscriber", "5", SUBSCRIBER | {"consents": ["marketing_newsletter"]}),)),
    Scene(
        "a subscriber without a list",
        (("subscriber", "5", {k: v for k, v in SUBSCRIBER.items() if k not in ("consents", "date_modified")}),),
    ),
    Scene("an order that was never modified", (("order", "218", {k: v for k, v in order_body(**GUEST).items() if k != "date_modified"}),)),
    Scene(
        "an account without an address",
        (
            (
                "customer",
                "11",
                CUSTOMER
                | {
                    "addresses": [],
                    "company": "Acme",
                    "phone": "1",
                    "attributes": [{"id": 1, "customer_id": 11, "attribute_id": 4, "attribute_value": "52"}],
                    "form_fields": [*FORM_FIELDS, {"customer_id": 11, "name": "Sizes", "value": ["S", "M"]}],
                },
            ),
        ),
        attribute_names={"4": "Shoe size"},
    ),
)
