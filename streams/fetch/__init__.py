"""fetch: from ids to bodies.

reads   bigcommerce.webhooks .pages
writes  bigcommerce.accounts .subscribers .checkouts .products · bigcommerce.webhooks ("look at this id") · dead-letters
keeps   nothing: ids that wait are in memory and unacknowledged, a kill costs some reads made twice
waits   for BigCommerce and its quota, store by store: its lag means that a store's API holds it back
shares  pages of listings have a consumer and a producer of their own: live records never stand in line behind them
fails   what cannot be read becomes a dead letter; lost access makes a store's ids wait; the unknown ends the process, unacknowledged
"""
