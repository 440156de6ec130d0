"""Pages of listings as messages."""

import msgspec

from bigcommerce.listings import ListedPage
from bigcommerce.reads import id_of
from schemas.entities import Page
from schemas.records import RECORD_BYTES_MAX

BODY_BYTES_MAX = RECORD_BYTES_MAX - 50_000  # the rest is for the other fields, of which the largest names what was left out
ID_CHARS_MAX = 64


def pages_of(listed: ListedPage, *, store: str, resource: str, run: str, page: int) -> list[Page]:
    """The messages of page number `page` of a run: its parts in order, none for a page without entities.

    It is cut between entities. One that is too large by itself is named in `left_out`, where it becomes a dead letter.
    """
    bodies: list[list[bytes]] = [[]]
    size, left_out = 0, []
    names = listed.attribute_names, listed.brand_names, listed.category_paths
    size_max = BODY_BYTES_MAX - len(msgspec.json.encode(names))
    for item in listed.items:
        if len(item) > size_max:
            left_out.append(id_of(item)[:ID_CHARS_MAX])
            continue
        if size + len(item) > size_max:
            bodies.append([])
            size = 0
        bodies[-1].append(item)
        size += len(item) + 1  # and a comma or bracket
    if not listed.items:
        return []
    return [
        Page(
            store=store,
            resource=resource,
            run=run,
            page=page,
            part=part,
            parts=len(bodies),
            read_at_ms=listed.read_at_ms,
            body=msgspec.Raw(b"[" + b",".join(items) + b"]"),
            attribute_names=listed.attribute_names,
            brand_names=listed.brand_names,
            category_paths=listed.category_paths,
            left_out=left_out if part == 0 else [],
        )
        for part, items in enumerate(bodies)
    ]
