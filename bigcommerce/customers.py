"""A customer account as BigCommerce gives it."""

from typing import Any

import msgspec

from bigcommerce.values import Fields, read_object
from schemas.failures import Undecodable

EXACT_MAX = 2**53  # a larger number is kept as text: JSON's readers take numbers for doubles


class Address(msgspec.Struct, frozen=True):
    """A postal address; a field that is not there is ""."""

    id: int
    first_name: str
    last_name: str
    company: str
    phone: str
    country: str
    country_code: str
    state: str
    city: str
    zip: str


class Customer(msgspec.Struct, frozen=True):
    """A customer account; a text that is not there is ""."""

    id: str
    email: str  # cleaned
    first_name: str
    last_name: str
    company: str
    phone: str
    group_id: str  # "0": none
    created_ms: int
    modified_ms: int
    address: Address | None  # the one with the lowest id
    attributes: dict[str, Any]  # attribute id to value
    form_fields: dict[str, Any]  # name to value: text, number or list of texts


def parse_customer(body: bytes) -> Customer:
    """A customer of the V3 listing with its addresses, attributes and form fields.

    Raises Undecodable with the field at fault.
    Source: docs/facts/bigcommerce.md 2.3 · example: tests/examples/bigcommerce/rest/customers_v3_page.json
    """
    fields = read_object(body)
    addresses = [_address(a) for a in fields.objects("addresses")]
    created_ms = fields.required_time_ms("date_created")
    return Customer(
        id=fields.required_id("id"),
        email=fields.email("email"),
        first_name=fields.text("first_name") or "",
        last_name=fields.text("last_name") or "",
        company=fields.text("company") or "",
        phone=fields.text("phone") or "",
        group_id=str(fields.integer("customer_group_id") or 0),
        created_ms=created_ms,
        modified_ms=fields.time_ms("date_modified") or created_ms,
        address=min(addresses, key=lambda a: a.id, default=None),
        attributes={a.required_id("attribute_id"): _plain(a, "attribute_value") for a in fields.objects("attributes")},
        form_fields={name: _plain(f, "value") for f in fields.objects("form_fields") if (name := f.text("name"))},
    )


def _address(fields: Fields) -> Address:
    return Address(
        id=fields.integer("id") or 0,
        first_name=fields.text("first_name") or "",
        last_name=fields.text("last_name") or "",
        company=fields.text("company") or "",
        phone=fields.text("phone") or "",
        country=fields.text("country") or "",
        country_code=fields.text("country_code") or "",
        state=fields.text("state_or_province") or "",
        city=fields.text("city") or "",
        zip=fields.text("postal_code") or "",
    )


def _plain(fields: Fields, name: str) -> Any:
    """A value that Engagement can hold: text, number, or a list of texts."""
    value = fields.data.get(name)
    if isinstance(value, list):
        if not all(isinstance(v, str | int) for v in value):
            raise Undecodable("expected a list of texts", fields.path + name)
        texts = [str(v) for v in value]
        fields.check_length(name, texts)
        return texts
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT_MAX:
        return value
    return fields.text(name) or ""
