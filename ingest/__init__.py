"""ingest: what BigCommerce calls (app.py), and what we call by ourselves (upkeep.py).

reads   stores · backfills
writes  bigcommerce.webhooks · bigcommerce.pages · backfills
keeps   nothing: a webhook is on Kafka or was not answered 200; how far a backfill is stands on `backfills`
waits   for Kafka, at most ACK_S_MAX seconds for one webhook; then the answer is 503 at once until Kafka is back.
        A backfill waits for BigCommerce's quota, and for stages that are behind; `backfill --status` says for what
fails   a delivery that cannot be taken is answered with the reason and counted, and leaves no record
"""
