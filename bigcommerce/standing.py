"""Who still stands in a store by an e-mail: what a merchant has to delete there when a person asks to be erased."""

import msgspec

from bigcommerce.client import StoreApi
from bigcommerce.reads import IDS_PER_CALL_MAX
from schemas.failures import Unavailable


class Standing(msgspec.Struct, frozen=True):
    """Ids of what is there."""

    accounts: list[str]
    subscribers: list[str]


class _Found(msgspec.Struct, frozen=True):
    id: int


class _List(msgspec.Struct, frozen=True):
    data: list[_Found]


async def read_standing(api: StoreApi, email: str, accounts: list[str]) -> Standing:
    """Accounts with this e-mail or one of these ids, and newsletter subscribers with the e-mail. Two calls, with ids three, each once.

    Raises AccessLost, QuotaSpent, Reject, Unavailable. Source: docs/facts/bigcommerce.md 2.3, 2.4
    """
    found = set(await _ids(api, "customers", {"email:in": email}))
    if accounts:
        found |= set(await _ids(api, "customers", {"id:in": ",".join(accounts[:IDS_PER_CALL_MAX])}))
    subscribers = await _ids(api, "customers/subscribers", {"email": email})
    return Standing(sorted(found, key=int), sorted(subscribers, key=int))


async def _ids(api: StoreApi, endpoint: str, params: dict[str, str]) -> list[str]:
    answer = await api.try_get(endpoint, f"/v3/{endpoint}", params | {"limit": str(IDS_PER_CALL_MAX)})
    try:
        return [str(one.id) for one in msgspec.json.decode(answer.body, type=_List).data]
    except msgspec.DecodeError:
        raise Unavailable(f"BigCommerce's answer to {endpoint} is not as documented") from None
