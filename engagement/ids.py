"""Ids as Engagement gets them: text."""


def customer_id(store: str, id: str) -> str:
    """The hard id `customer_id` of a store's account.

    `store` is part of it only where several stores share a project; each has its own today.
    """
    del store
    return id


def subscriber_id(store: str, id: str) -> str:
    """The soft id `subscriber_id` of a store's subscriber."""
    del store
    return id
