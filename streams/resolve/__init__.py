"""resolve: from entities to people.

reads   bigcommerce.checkouts .accounts .subscribers .products · people
writes  bigcommerce.accounts · people · engagement.commands .catalog · bigcommerce.webhooks ("look at this id") · dead-letters
keeps   checkouts, accounts, subscribers, products, profiles (one table for each topic it reads, with a changelog topic)
waits   for nothing outside Kafka: its lag means processor time
fails   what cannot be processed becomes a dead letter; the unknown ends the process, unacknowledged
"""
