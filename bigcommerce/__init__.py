"""bigcommerce: all that we know of BigCommerce.

webhooks.py    what a webhook says: which entity to look at; which hooks we ask for
verify.py      whether a delivery is BigCommerce's
hooks.py       hooks as they stand at a store
client.py      calls to a store's API
quota.py       the pace of those calls
reads.py       which calls read which entities
values.py      how BigCommerce writes numbers, money, times and ids
customers.py, subscribers.py, orders.py, carts.py, products.py   bodies to structs
attributes.py, catalog_names.py   the names of what those carry by id
"""
