"""schemas: the contract. What stands on which topic under which key, and how to read and write it; nothing of ours is imported here.

topics.py       every topic, its key, settings and message types
webhooks.py     what ingest writes: webhooks as received, and our own "look at this id"
entities.py     what fetch writes: full bodies with their versions
people.py       what resolve tells itself about a person
commands.py     what deliver sends
stores.py       settings of a store, secrets sealed
dead_letters.py what could not be processed, and why
records.py      messages to and from a record's value and headers
keys.py         how keys are made
failures.py     what can go wrong, by what is done about it
settings.py     the environment
connection.py   from settings to Kafka clients
directory.py    the stores topic, read to its end and followed
generate.py     JSON Schema and AsyncAPI files from all this
"""
