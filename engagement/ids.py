"""Ids as Engagement gets them: text."""

from schemas.keys import store_hash

HARD_IDS = ("email_id", "customer_id")  # of a project: one value each for a profile, never changed


def engagement_id(store: str, id: str, *, shared: bool) -> str:
    """Engagement's id of an account, a subscriber, an order, a product or a variant of BigCommerce's; "" stays "".

    `store` is `{hash}.{generation}`. Where several stores share a project the id is `{hash}-{id}`, for BigCommerce counts
    from one in each store.
    """
    return f"{store_hash(store)}-{id}" if shared and id else id


def bigcommerce_id(id: str) -> str:
    """What `engagement_id` was made of: BigCommerce's own id, which has no hyphen."""
    return id.rpartition("-")[2]
