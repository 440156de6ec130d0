"""What resolve asks deliver to send."""

from typing import ClassVar, Literal

import msgspec

from schemas.records import Message


class Command(Message, frozen=True, kw_only=True):
    """One command to Engagement. Its bytes are final: a retry sends the same. Key: the lane."""

    name: ClassVar[str] = "command"
    store: str
    number: int  # the lane's running number, one up each time
    kind: Literal["customers", "customers/events", "anonymize"]
    data: msgspec.Raw  # the body of the single call, as a JSON object
    consent: bool = False  # Engagement never de-duplicates these: looked up before a second send


class CatalogWrite(Message, frozen=True, kw_only=True):
    """One catalog item to write, or to remove (`properties` null). Key `{s}/{product_id}`."""

    name: ClassVar[str] = "catalog-write"
    store: str
    catalog: Literal["products", "variants"]
    item_id: str
    properties: msgspec.Raw  # a JSON object or null; not `Raw | None`, which msgspec reads back as null alone
