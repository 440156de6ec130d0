"""The properties of a person's Engagement profile, from a customer account."""

import hashlib
import re
import unicodedata
from typing import Any

from bigcommerce.customers import Customer

PERSONAL = ("first_name", "last_name", "phone", "company", "country", "country_code", "state", "city", "zip")


def properties_of(customer: Customer, attribute_names: dict[str, str]) -> dict[str, Any]:
    """All properties but `email`: of the address with the lowest id, else of the account; `registered_at` in UNIX seconds.

    What the store emptied is "". An attribute's or form field's name becomes `bigcommerce_{name in snake_case}`.
    """
    found: dict[str, Any] = {name: getattr(customer.address, name, "") or getattr(customer, name, "") for name in PERSONAL}
    found["customer_group_id"] = customer.group_id
    found["registered_at"] = customer.created_ms // 1000
    for name, value in customer.form_fields.items():
        found[property_name(name)] = value
    for attribute, value in customer.attributes.items():
        found[property_name(attribute_names.get(attribute, f"attribute {attribute}"))] = value
    return found


def property_name(name: str) -> str:
    """`bigcommerce_` and the name in snake_case, ASCII; a name with no ASCII letter or digit is known by its hash."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", plain)
    return "bigcommerce_" + ("_".join(words).lower() or hashlib.sha256(name.encode()).hexdigest()[:8])
