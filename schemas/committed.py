"""How far a consumer group is in a partition: Kafka's committed offset, and beside it the tenants that have a position of their own.

A tenant is whose records these are: what stands before the first `/` of their key, a store or a project of Engagement. One that has
to wait is set apart (streams/positions.py): the committed offset passes over its records, and the metadata of the same commit
says from where on they are to be read again, and how many of them that are. So both are always of one moment.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

METADATA_BYTES_MAX = 4096  # the broker's `offset.metadata.max.bytes`, by default
APART_BYTES_MAX = 1500  # of these for tenants; the rest is free for the stage
_NAME = re.compile(r"[\w.-]{1,64}")
_ENTRY = re.compile(r"([\w.-]+):(\d+):(\d+)")


def tenant_of(key: bytes | str | None) -> str:
    """Whose record it is, by its key."""
    text = key.decode(errors="replace") if isinstance(key, bytes) else key or ""
    return text.partition("/")[0]


class Apart(NamedTuple):
    """One tenant's own position."""

    offset: int  # all of its records before are done
    records: int  # that it has between there and the partition's committed offset


class Committed(NamedTuple):
    """What is committed for one partition; -1 where nothing is."""

    offset: int
    apart: Mapping[str, Apart] = MappingProxyType({})  # by tenant
    text: str = ""  # what the stage has committed beside it

    @property
    def first(self) -> int:
        """The offset of the first record that may not be done, of any tenant."""
        return min([self.offset, *(apart.offset for apart in self.apart.values())])

    @property
    def done(self) -> int:
        """The offset that would be committed if all that is done stood before all that is not: the end less this is what is left."""
        return self.offset - sum(apart.records for apart in self.apart.values())

    def of(self, key: bytes | str | None) -> int:
        """The offset up to which all of this key's tenant is done."""
        apart = self.apart.get(tenant_of(key))
        return apart.offset if apart else self.offset

    def not_before(self, offset: int) -> "Committed":
        """As if all before that offset were done: the records are not there any more."""
        end = max(offset, self.offset)
        apart = {tenant: Apart(max(offset, at), min(records, end - max(offset, at))) for tenant, (at, records) in self.apart.items()}
        return Committed(end, {tenant: one for tenant, one in apart.items() if one.records or one.offset > end}, self.text)

    @property
    def metadata(self) -> str:
        """For Kafka's commit."""
        if not self.apart:
            return self.text
        return ",".join(f"{tenant}:{offset}:{records}" for tenant, (offset, records) in self.apart.items()) + f"|{self.text}"


def committed_of(offset: int, metadata: str) -> Committed:
    """What `Committed.metadata` was made of; nobody is apart in a commit of someone else, as when an operator set the offset."""
    before, bar, text = metadata.partition("|")
    if not bar:
        return Committed(offset, text=metadata)
    found = {tenant: Apart(int(at), int(records)) for tenant, at, records in _ENTRY.findall(before)}
    return Committed(offset, MappingProxyType(found), text)


def has_room(apart: Mapping[str, object], tenant: str) -> bool:
    """Whether one more tenant can be apart: its name fits into the metadata, and there is room for it."""
    numbers = 2 + 13 + 11  # `:`, an offset, `:`, a number, `,`
    return bool(_NAME.fullmatch(tenant)) and sum(len(name) + numbers for name in (*apart, tenant)) <= APART_BYTES_MAX
