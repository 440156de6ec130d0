"""People who ask to be erased, as `cartstream erase` does it, while their accounts still stand in the shop."""

import asyncio
import time
from typing import Any

from ops.demo.deployment import Deployment, Tenant
from ops.demo.shop_life import ShopLife
from ops.erase import erase
from schemas.keys import clean_email

WAIT_S = 120.0


async def erase_people(deployment: Deployment, tenant: Tenant, life: ShopLife, people: int) -> dict[int, int]:
    """Accounts of the store whose people were erased, and when, ms. Everything is at rest before."""
    leaving = life.erased(people)
    at_ms = time.time_ns() // 1_000_000
    await asyncio.gather(*(erase(deployment.settings, clean_email(email), tenant.hash, WAIT_S, say=_nothing) for email in leaving.values()))
    return dict.fromkeys(leaving, at_ms)


def as_deleted(shop: dict[str, Any], erased: dict[int, int]) -> dict[str, Any]:
    """The shop's state as if these accounts had been deleted then: that is what erasing a person comes to at Engagement."""
    customers = [{**one, "deleted_at_ms": erased[one["id"]]} if one["id"] in erased else one for one in shop["customer"]]
    return {**shop, "customer": customers}


def _nothing(_: str) -> None:
    """The demo has a progress line of its own."""
