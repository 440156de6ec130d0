"""A BigCommerce, as docs/facts/bigcommerce.md has it: `python -m simulators.bigcommerce --port P [--seed N] [--stores N] [--quota N]`.

Stores are kept in memory. The first is `abc123`, its token `token-abc123`, its client secret `sample-client-secret`.

    /stores/{hash}/v2, /v3     what the platform serves: customers, subscribers, carts, orders, products, brands, categories,
                               hooks, store information
    POST /_sim/actions         [{"action": "create_customer", ...}, ...]: what shoppers and the merchant do (`actions.py` lists all).
                               Answers [{"id": ...} or {"error": ...}, ...] in the same order; "$0.id" in an item is what the first answered
    GET, PUT /_sim/knobs       webhook faults, read lag, REST faults (`knobs.py` lists all); PUT changes those that it names
    GET, POST /_sim/stores     the stores; one more. PUT /_sim/stores/{hash} changes token, secret, quota, forbidden permissions
    PUT, DELETE /_sim/raw/{kind}/{id}    the body that REST gives for that customer, order, product ... from now on, byte for byte
    POST /_sim/webhook         the body goes to the hooks of its scope as it is (?scope= and ?store= where it names none)
    GET /_sim/state            the truth (?store=, ?kind=), every entity that ever was: {"now_ms", "counters", "stores": {hash: {kind: [
                               {"id", "created_at_ms", "deleted_at_ms", "body", "states": [{"at_ms", "body"}]}]}}};
                               a deleted one with its last body; an order with "products" and "coupons" beside its body
    GET /_sim/counters         webhooks fired, sent, delivered, failed, still under way; REST calls by endpoint and status,
                               faults by endpoint and knob, reads that saw an older state

`shop.py` holds what there is, `customers.py`, `carts.py`, `orders.py`, `products.py` what happens to it; `hooks.py`, `webhooks.py` deliver;
`api.py`, `rest_v2.py`, `rest_v3.py`, `catalog.py` serve.
"""
