"""What deliver counts."""

from prometheus_client import Counter, Gauge

COMMANDS = Counter(
    "cartstream_deliver_commands",
    "Commands that are done, by how: sent, repeated (its lane was further), dead_letter",
    ["outcome"],
)
CALLS = Counter(
    "cartstream_deliver_calls",
    "Calls to Engagement, by kind (batch, anonymize, look_up, write_items, remove_items, catalogs) and how they ended",
    ["kind", "outcome"],
)
WAITING = Gauge("cartstream_deliver_waiting_commands", "Commands that may go as far as their lanes are concerned, in memory")
HELD_LANES = Counter("cartstream_deliver_held_lanes", "Lanes held back since the start, for Engagement refused their anonymization")
ITEMS = Counter(
    "cartstream_deliver_items",
    "Writes of catalog items that are done, by how: sent, replaced (by a newer one before it was sent), dead_letter",
    ["outcome"],
)
WAITING_ITEMS = Gauge("cartstream_deliver_waiting_items", "Catalog items that wait to be written, in memory")
