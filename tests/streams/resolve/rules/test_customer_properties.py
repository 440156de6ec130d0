from pathlib import Path

import orjson
import pytest

from bigcommerce.customers import parse_customer
from streams.resolve.rules.properties import properties_of, property_name

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "bigcommerce" / "rest" / "customers_v3_page.json"


def test_the_example_customer():
    body = orjson.loads(EXAMPLE.read_bytes())["data"][0] | {"id": 32, "date_created": "2019-02-19T18:34:16Z"}
    assert properties_of(parse_customer(orjson.dumps(body)), {}) == {
        "first_name": "Jane",
        "last_name": "Smith",
        "phone": "555-123-4567",
        "company": "Acme Corp",
        "country": "US",
        "country_code": "st",
        "state": "string",
        "city": "string",
        "zip": "string",
        "customer_group_id": "0",
        "registered_at": 1_550_601_256,
    }


def test_the_address_with_the_lowest_id_counts_and_the_account_fills_what_it_leaves_empty():
    def address(id: int, city: str, first_name: str) -> dict[str, object]:
        return {"id": id, "city": city, "first_name": first_name, "phone": ""}

    body = {"id": 1, "email": "a@b.c", "first_name": "Ann", "phone": "7", "date_created": "2020-01-01T00:00:00Z"}
    body["addresses"] = [address(9, "Lyon", "X"), address(2, "Graz", "Home")]
    found = properties_of(parse_customer(orjson.dumps(body)), {})
    assert (found["city"], found["first_name"], found["phone"]) == ("Graz", "Home", "7")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("How did you hear about us?", "bigcommerce_how_did_you_hear_about_us"),
        ("AccountSignUpField", "bigcommerce_account_sign_up_field"),
        ("Größe", "bigcommerce_groe"),
        ("VAT-ID 2", "bigcommerce_vat_id_2"),
        ("尺寸", "bigcommerce_246df7d8"),
    ],
)
def test_names_become_snake_case(name: str, wanted: str):
    assert property_name(name) == wanted
