"""What fetch counts; calls are counted in bigcommerce/client.py."""

from prometheus_client import Counter, Gauge

RECORDS = Counter(
    "cartstream_fetch_records",
    "Records of bigcommerce.webhooks that are done, by how they ended: read, known (an earlier read will do), "
    "told (gone, says BigCommerce), gone (missing twice), untracked, dead_letter, removed (their store is)",
    ["resource", "outcome"],
)
PAGES = Counter(
    "cartstream_fetch_pages",
    "Records of bigcommerce.pages that are done, by how they ended: read, dead_letter (as a whole), removed (their store is)",
    ["resource", "outcome"],
)
WRITTEN = Counter("cartstream_fetch_written", "Records written, by message", ["message"])
HELD = Gauge("cartstream_fetch_held_ids", "Ids that wait for a read, in memory", ["resource"])
