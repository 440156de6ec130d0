"""ingest: what BigCommerce calls.

reads   stores
writes  bigcommerce.webhooks
keeps   nothing: a webhook is on Kafka or was not answered 200
waits   for Kafka, at most ACK_S_MAX seconds for one record; then the answer is 503 at once until Kafka is back
fails   a delivery that cannot be taken is answered with the reason and counted, and leaves no record
"""
