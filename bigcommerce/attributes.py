"""The names of a store's customer attributes, remembered."""

import time
from collections.abc import Set

from bigcommerce.client import StoreApi
from bigcommerce.reads import read_attribute_names

READ_EVERY_S = 60.0


class AttributeNames:
    """Customers carry ids of attributes only; a merchant may add one at any time."""

    def __init__(self, api: StoreApi) -> None:
        self._api = api
        self._names: dict[str, str] = {}
        self._read_at = float("-inf")

    async def of(self, ids: Set[str]) -> dict[str, str]:
        """The names of these attributes; one that the store does not list is left out.

        Costs a call when one is not known yet, at most once a minute. Raises AccessLost, Reject.
        """
        if ids - self._names.keys() and time.monotonic() - self._read_at > READ_EVERY_S:
            self._names = await read_attribute_names(self._api)
            self._read_at = time.monotonic()
        return {id: self._names[id] for id in ids if id in self._names}
