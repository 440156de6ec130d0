"""Record keys: same key, same partition, so what must stay in order meets in one line. No key shows a person."""

import hashlib
import hmac


def clean_email(email: str) -> str:
    """The form of an e-mail that everything is made of: trimmed, lowercase; "" when there is none."""
    return email.strip().lower()


def person_hash(person_key: bytes, email: str) -> str:
    """HMAC-SHA256 of a cleaned e-mail under the deployment's person key, hex (64 characters)."""
    return hmac.new(person_key, clean_email(email).encode(), hashlib.sha256).hexdigest()


def person_lane(project: str, email_hash: str) -> str:
    """`{project}/{h}`: key of `people`, and of `engagement.commands` for a person's home."""
    return f"{project}/{email_hash}"


def store_hash(store: str) -> str:
    """BigCommerce's hash of a store `{hash}.{generation}`."""
    return store.rpartition(".")[0]


def webhook_key(store: str, resource: str, id: str) -> str:
    """`{s}/{resource}/{id}`: key of `bigcommerce.webhooks`."""
    return f"{store}/{resource}/{id}"


def checkout_key(store: str, cart_id: str | None, order_id: str = "") -> str:
    """`{s}/{cart_id}`, for an order without a cart `{s}/order-{id}`: key of `bigcommerce.checkouts`; the lane of a cart of nobody."""
    return f"{store}/{cart_id}" if cart_id else f"{store}/order-{order_id}"


def entity_key(store: str, id: str) -> str:
    """`{s}/{id}`: key of `bigcommerce.accounts`, `.subscribers` and `.products`."""
    return f"{store}/{id}"


def page_key(store: str, resource: str, run: str, page: int) -> str:
    """`{s}/{resource}/{run}/{page}`: key of `bigcommerce.pages`, the same for all parts of a page."""
    return f"{store}/{resource}/{run}/{page}"


def changelog(group: str, table: str) -> str:
    """The topic that holds the rows of a table, by their keys."""
    return f"{group}-{table}-changelog"
