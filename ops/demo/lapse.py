"""What the daily run of a store does about subscribers who lapsed, at once: `worker upkeep` does it at the store's time of day."""

import time

from ops.demo.compare import Lapse
from ops.demo.deployment import Deployment, Tenant
from ops.lapse import anonymize_lapsed
from ops.reconcile import Sender
from schemas.directory import opened_directory


async def lapse(deployment: Deployment, tenant: Tenant) -> Lapse:
    """Returns when all that follows has been asked for; what the run was. Everything is at rest before."""
    settings, at_s = deployment.settings, time.time()
    async with opened_directory(settings) as directory:
        await anonymize_lapsed(settings, directory, tenant.store, Sender(settings))
    return Lapse(at_s, settings.anonymize_lapsed_days)
