"""How far single lanes are, where they are ahead of their partition: text for the metadata of Kafka's committed offset.

The partition's committed offset says that all before it is done; a lane's own says it of that lane's records alone. Both
stand in one commit, so a successor reads them as they belong together.
"""

import base64
import hashlib
import re
from collections.abc import Mapping

LANES_MAX = 100  # 25 bytes each, with an offset of eleven digits: what schemas/committed.py leaves of the metadata


def short(lane: str) -> str:
    """A lane's name in twelve characters. Of 72 bits: two lanes of one name would lose commands after a kill."""
    return base64.urlsafe_b64encode(hashlib.blake2b(lane.encode(), digest_size=9).digest()).decode()


def write(offsets: Mapping[str, int]) -> str:
    """`offsets`: short name of a lane -> the offset that its records are done up to."""
    return ",".join(f"{lane}:{offset}" for lane, offset in offsets.items())


def read(metadata: str) -> dict[str, int]:
    """What `write` was given; empty for a commit of someone else, as when an operator set the offset."""
    return {lane: int(offset) for lane, offset in re.findall(r"([\w-]{12}):(\d+)", metadata)}
