"""How the platform misbehaves. All chances are from 0 to 1, drawn from the seed; by default it behaves."""

from typing import Annotated, Literal

import msgspec

Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Knobs(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    clock_offset_ms: int = 0
    """Added to the real time: set it back to write history, and to 0 for the present."""

    stamp_lag_ms: Amount = 0
    """A webhook is made, and stamped with its `created_at`, so much later than the change that it tells of (facts 1.2: 1 to 2 s)."""
    duplicate: Chance = 0
    """A delivery comes again, with the same hash, 100 to 1000 ms after the first."""
    delay: Chance = 0
    delay_ms: Amount = 5000
    """A delayed webhook waits up to delay_ms before its first attempt."""
    shuffle_ms: Amount = 0
    """Every webhook waits a random time up to this, so that their order is lost."""
    drop: Chance = 0
    """A webhook is never sent."""
    drop_only: list[str] = []
    """Webhooks of these scopes; none named: of all."""
    stale_timestamp: Chance = 0
    """An attempt is signed with a time of ten minutes ago."""
    bad_signature: Chance = 0
    """An attempt is signed with another secret."""
    numeric_store_id: Chance = 0
    missing_status: Chance = 0
    """`order/statusUpdated` comes without `status`."""
    unknown_scope: Chance = 0
    """One more webhook goes to the hook, of a scope that no document names."""
    retry_scale: Amount = 1.0
    """Multiplies retry delays and the blocklist's times: 0.001 makes 60 s of them 60 ms."""
    timeout_s: Amount = 10.0
    """How long an attempt waits for its answer."""
    blocklist: bool = False
    """Destinations that fail too often are blocked for a while."""

    read_lag_ms: Amount = 0
    """Each change is seen by reads up to this much later (webhooks do not wait for it)."""
    single_as_object: Chance = 0
    """A list of one consignment, or of its one line, comes as the object itself."""
    error_5xx: Chance = 0
    slow: Chance = 0
    slow_ms: Amount = 2000
    """A slow answer takes up to slow_ms longer."""
    hang: Chance = 0
    hang_ms: Amount = 15_000
    """The work is done, and its answer comes when nobody waits for it any more."""
    answers_in_time: Annotated[int, msgspec.Meta(ge=0)] = 0
    """A list that is asked for with a larger `limit` takes too long for the gateway: 504. 0: none does."""
    drop_connection: Chance = 0
    """The work is done, then the connection breaks in the middle of the answer."""
    throttle: Chance = 0
    """429 without rate headers."""
    forbidden_status: Literal[401, 403] = 403
    """What a call without its permission gets: 401 is after the app's scopes changed, until the merchant consents (facts 2.1)."""
    quota_window_ms: Annotated[int, msgspec.Meta(gt=0)] = 30_000
