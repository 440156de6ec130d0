"""A newsletter subscriber as BigCommerce gives it."""

import msgspec

from bigcommerce.values import read_object
from schemas.failures import Undecodable

NEWSLETTER, ABANDONED_CART = "marketing_newsletter", "abandoned_cart"


class Subscriber(msgspec.Struct, frozen=True):
    """A subscriber. It consents to `consents`; `can_hold` is all that its list could name."""

    id: str
    email: str  # cleaned
    consents: list[str]
    can_hold: list[str]
    created_ms: int
    modified_ms: int


def parse_subscriber(body: bytes) -> Subscriber:
    """A subscriber of the V3 API. One without a `consents` list counts as one to the newsletter.

    Raises Undecodable with the field at fault.
    Source: docs/facts/bigcommerce.md 2.4 · example: tests/examples/bigcommerce/rest/subscriber_v3_one.constructed.json
    """
    fields = read_object(body)
    listed = fields.data.get("consents")
    if listed is not None and not (isinstance(listed, list) and all(isinstance(c, str) for c in listed)):
        raise Undecodable("expected a list of texts", "consents")
    known = [NEWSLETTER] if listed is None else [NEWSLETTER, ABANDONED_CART]
    created_ms = fields.required_time_ms("date_created")
    return Subscriber(
        id=fields.required_id("id"),
        email=fields.email("email"),
        consents=known if listed is None else [c for c in known if c in listed],
        can_hold=known,
        created_ms=created_ms,
        modified_ms=fields.time_ms("date_modified") or created_ms,
    )
