"""The names of a store's brands and categories, remembered: products carry ids only."""

import time
from collections.abc import Awaitable, Callable, Mapping, Set
from typing import Generic, TypeVar

from bigcommerce.client import StoreApi
from bigcommerce.reads import read_brands, read_categories

KEPT_S = 600.0  # no webhook tells of a renamed brand, so names are read anew
READ_EVERY_S = 60.0  # for the sake of an id that the store does not list
LAG_S = 10.0  # for so long after it was first asked for a list may lack an id that it will have: it is read again once a second

T = TypeVar("T")


class CatalogNames:
    """What brands and categories are called, as of the last ten minutes."""

    def __init__(self) -> None:
        self._brands = _Listed(read_brands)
        self._categories = _Listed(read_categories)

    async def learn(self, api: StoreApi, brands: Set[str], categories: Set[str]) -> None:
        """These are known, but for those that the store does not list.

        Costs a call per 250 brands (and categories) of the store where one is new or ten minutes have passed; for those that were not
        listed at most once a minute, after a few at first. Raises AccessLost, Reject; then what is known is as before.
        Source: docs/facts/bigcommerce.md 1.7, 2.7
        """
        await self._brands.learn(api, brands)
        await self._categories.learn(api, categories)

    def of(self, brands: Set[str], categories: Set[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
        """The names of these brands, and of these categories from the root down to each; without those that the store does not list."""
        names, paths = self._brands.known, {id: self._path(id) for id in categories}
        return {id: names[id] for id in brands if id in names}, {id: path for id, path in paths.items() if path}

    def _path(self, id: str) -> list[str]:
        names: list[str] = []
        above: set[str] = set()
        while id not in above and (category := self._categories.known.get(id)):
            above.add(id)
            names.insert(0, category.name)
            id = category.parent_id
        return names


class _Listed(Generic[T]):
    """A list that is read as a whole."""

    def __init__(self, read: Callable[[StoreApi], Awaitable[Mapping[str, T]]]) -> None:
        self.known: Mapping[str, T] = {}
        self._read = read
        self._unlisted: dict[str, float] = {}  # asked for, and not in the store's list: since when
        self._read_at = float("-inf")

    async def learn(self, api: StoreApi, ids: Set[str]) -> None:
        if ids and self._is_due(ids - self.known.keys(), time.monotonic()):
            self.known = await self._read(api)
            self._read_at = time.monotonic()
            self._unlisted = {id: since for id, since in self._unlisted.items() if id not in self.known}

    def _is_due(self, unknown: Set[str], now: float) -> bool:
        age_s = now - self._read_at
        first = min((now - self._unlisted.setdefault(id, now) for id in unknown), default=None)
        if first is None:
            return age_s > KEPT_S
        return first == 0.0 or age_s > (1.0 if first <= LAG_S else READ_EVERY_S)
