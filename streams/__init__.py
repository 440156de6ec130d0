"""The three stages, a folder each, and the two loops that they stand on.

fetch    webhooks and pages in, full bodies out; waits on BigCommerce      on consumer.py, the batch consumer
resolve  bodies in, commands out; joins carts with orders, finds people    on engine.py, Faust made safe
deliver  commands in, batches to Engagement out; waits on Engagement       on consumer.py
"""
