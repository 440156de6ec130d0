import msgspec
import orjson
import pytest

from bigcommerce.listings import LISTED
from schemas.entities import CustomerState, OrderState, Page, ProductState, SubscriberState
from schemas.failures import Undecodable
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS, Topic
from streams.fetch.rules.page import Unread, entities_of, is_live, left_out, read_entity
from streams.fetch.rules.state import Made

READ_AT_MS = 1_700_000_000_000
TIMES = {"date_created": "2023-01-01T00:00:00Z", "date_modified": "2023-01-02T00:00:00Z"}


def page(resource: str, *entities: object, **changed: object) -> Page:
    fields = {"store": "abc123.1", "resource": resource, "run": "r", "page": 1, "read_at_ms": READ_AT_MS}
    return Page(**fields | {"body": msgspec.Raw(orjson.dumps(entities))} | changed)


def read(page: Page) -> list[Made | Unread]:
    return [read_entity(page, place, entity) for place, entity in enumerate(entities_of(page))]


ORDER = {"id": 101, "status_id": 11, "cart_id": None, "customer_id": 7, **TIMES, "products": []}
ENTITIES: dict[str, tuple[dict[str, object], Topic, str, type]] = {
    "customer": ({"id": 7, "email": "jane@example.com", **TIMES}, ACCOUNTS, "abc123.1/7", CustomerState),
    "subscriber": ({"id": 5, "email": "jane@example.com", **TIMES}, SUBSCRIBERS, "abc123.1/5", SubscriberState),
    "order": (ORDER, CHECKOUTS, "abc123.1/order-101", OrderState),
    "product": ({"id": 9, "name": "Jar", **TIMES}, PRODUCTS, "abc123.1/9", ProductState),
}


@pytest.mark.parametrize("resource", LISTED)
def test_an_entity_of_a_page_becomes_the_record_of_a_read_at_the_pages_time(resource: str):
    entity, topic, key, kind = ENTITIES[resource]
    [made] = read(page(resource, entity))
    assert isinstance(made, Made)
    assert (made.topic, made.key, type(made.state)) == (topic, key, kind)
    assert (made.state.store, made.state.id, made.state.read_at_ms) == ("abc123.1", str(entity["id"]), READ_AT_MS)
    assert orjson.loads(bytes(made.state.body)) == entity


def test_a_product_has_the_names_that_came_with_its_page():
    names = {"brand_names": {"36": "OFS", "37": "Other"}, "category_paths": {"23": ["Kitchen", "Jars"], "24": ["Bath"]}}
    [made] = read(page("product", {"id": 9, "brand_id": 36, "categories": [23, 99], **TIMES}, **names))
    assert isinstance(made, Made)
    assert isinstance(made.state, ProductState)
    assert (made.state.brand_name, made.state.category_paths) == ("OFS", {"23": ["Kitchen", "Jars"]})


@pytest.mark.parametrize("rewrite", [True, False])
def test_a_product_bears_whether_its_page_rewrites(rewrite: bool):
    [made] = read(page("product", ENTITIES["product"][0], rewrite=rewrite))
    assert isinstance(made, Made)
    assert isinstance(made.state, ProductState)
    assert made.state.rewrite is rewrite


def test_an_order_with_a_cart_has_the_carts_key():
    [made] = read(page("order", ORDER | {"cart_id": "c-1"}))
    assert isinstance(made, Made)
    assert made.key == "abc123.1/c-1"


def test_an_entity_that_cannot_be_read_names_its_field_and_its_neighbours_go_on():
    first, wrong, last = read(page("order", ORDER, ORDER | {"id": 102, "status_id": 99}, ORDER | {"id": 103}))
    assert isinstance(first, Made)
    assert isinstance(last, Made)
    assert isinstance(wrong, Unread)
    assert (wrong.name, wrong.error.field) == ("order-102", "status_id")


@pytest.mark.parametrize("entity", [{}, {"id": None}, {"id": {}}, {"id": 0}, {"id": "x/1"}, [], 5, "text", None])
def test_an_entity_without_an_id_is_named_by_its_place(entity: object):
    _, wrong = read(page("order", ORDER, entity))
    assert isinstance(wrong, Unread)
    assert (wrong.name, wrong.error.field) == ("order[1]", "id")


def test_what_cannot_be_read_is_a_page_of_its_own():
    whole = page("order", ORDER, ORDER | {"id": 102, "status_id": 99}, left_out=["7"])
    _, wrong = read(whole)
    assert isinstance(wrong, Unread)
    assert orjson.loads(bytes(wrong.page.body)) == [ORDER | {"id": 102, "status_id": 99}]
    assert (wrong.page.run, wrong.page.read_at_ms, wrong.page.left_out) == ("r", READ_AT_MS, [])


def test_what_was_too_large_for_the_page_is_named():
    found = left_out(page("order", left_out=["7", "", "jane@example.com"]))
    assert [(each.name, each.error.reason) for each in found] == [
        ("order-7", "too large for a record"),
        ("order-left-out-1", "too large for a record"),
        ("order-left-out-2", "too large for a record"),
    ]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [(page("cart"), "resource"), (page("order", body=msgspec.Raw(b"{}")), "body"), (page("order", body=msgspec.Raw(b"null")), "body")],
)
def test_a_page_that_cannot_be_read_as_a_whole_says_why(wrong: Page, field: str):
    with pytest.raises(Undecodable) as error:
        entities_of(wrong)
    assert error.value.field == field


ASKED_MS = 1_700_000_000_000
SHORTLY_BEFORE, LONG_BEFORE = "2023-11-14T22:12:21Z", "2023-11-14T22:12:12Z"  # it was asked for at 22:13:20


@pytest.mark.parametrize("resource", ["customer", "subscriber", "order"])
@pytest.mark.parametrize(
    ("modified", "asked_ms", "live"), [(SHORTLY_BEFORE, ASKED_MS, True), (LONG_BEFORE, ASKED_MS, False), (SHORTLY_BEFORE, 0, False)]
)
def test_what_changed_since_shortly_before_the_load_was_asked_for_is_live(resource: str, modified: str, asked_ms: int, live: bool):
    whole = page(resource, ENTITIES[resource][0] | {"date_modified": modified}, asked_ms=asked_ms)
    [made] = read(whole)
    assert isinstance(made, Made)
    assert is_live(whole, made) is live


def test_nothing_of_a_product_goes_by_history():
    whole = page("product", ENTITIES["product"][0] | {"date_modified": SHORTLY_BEFORE}, asked_ms=ASKED_MS)
    [made] = read(whole)
    assert isinstance(made, Made)
    assert not is_live(whole, made)


def test_an_order_bears_from_when_on_orders_of_its_page_make_their_events():
    [made] = read(page("order", ORDER, events_from_ms=5))
    assert isinstance(made, Made)
    assert isinstance(made.state, OrderState)
    assert made.state.events_from_ms == 5
