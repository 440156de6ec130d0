"""The names of a store's customer attributes, remembered."""

import time
from collections.abc import Set

from bigcommerce.client import StoreApi
from bigcommerce.reads import read_attribute_names

READ_EVERY_S = 60.0  # for the sake of an id that the store does not list


class AttributeNames:
    """Customers carry ids of attributes only; a merchant may add one at any time. `known` is id to name."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self._unlisted: Set[str] = frozenset()  # asked for, and not in the store's list
        self._read_at = float("-inf")

    async def learn(self, api: StoreApi, ids: Set[str]) -> None:
        """These attributes are `known`, but for those that the store does not list.

        Costs a call where one is new, and at most one a minute for those that were not listed. Raises AccessLost, Reject; then
        `known` is as before. Source: docs/facts/bigcommerce.md 2.3
        """
        unknown = ids - self.known.keys()
        if not unknown or (unknown <= self._unlisted and time.monotonic() - self._read_at <= READ_EVERY_S):
            return
        self.known = await read_attribute_names(api)
        self._unlisted = (self._unlisted | unknown) - self.known.keys()
        self._read_at = time.monotonic()
