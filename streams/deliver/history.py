"""The way of history, apart from that of live commands: what it must know before it goes, and which of it goes next.

The seam: Engagement's Imports API could take the place of the calls. What is imported has entered its lane by `cut`, and is
left by the loop's `_done` or `_refused`, as after a call.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from engagement.limits import Pace
from schemas.commands import Command
from schemas.committed import tenant_of
from schemas.connection import kafka_options
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import COMMANDS, HISTORY
from streams.consumer import Bounds
from streams.deliver.rules.history import History, Turns
from streams.deliver.rules.lanes import Lanes
from streams.deliver.rules.pending import Pending
from streams.deliver.rules.queue import Queue
from streams.deliver.tail import read_done, read_since, time_of

AHEAD = 1_000  # records of a partition taken beyond its commit: after a kill so many consents at most are looked up
MARGIN_MS = 10 * 60 * 1000  # by which the clocks of resolve's workers, and two records of one batch, may differ

Commands = Callable[[AsyncIterator[ConsumerRecord]], AsyncIterator[tuple[str, Command, TopicPartition]]]


class HistoryWay:
    """The partitions of engagement.history of one deliver process."""

    def __init__(
        self,
        settings: Settings,
        commands: Commands,
        accept: Callable[[ConsumerRecord], None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`commands` reads records, `accept` takes one that was held, `start` makes a task of the process."""
        self._settings, self._commands, self._accept, self._start = settings, commands, accept, start
        self._topic = settings.topic_prefix + HISTORY.name
        self.queues: dict[str, Queue[Pending]] = {}  # by store
        self._partitions: dict[TopicPartition, History] = {}
        self._lanes: Mapping[TopicPartition, Lanes] = {}
        self._bounds: Mapping[TopicPartition, Bounds] = {}
        self._held: dict[TopicPartition, list[ConsumerRecord]] = {}  # until the past of their partition is known
        self._known: set[TopicPartition] = set()  # of these, where only records of tenants that are apart are held any more
        self._looking_back: dict[TopicPartition, asyncio.Task[None]] = {}
        self._one_looks_back = asyncio.Lock()  # live commands go on meanwhile
        self._turns = Turns(settings.history_rps)

    def __contains__(self, tp: tuple[str, int]) -> bool:
        return tp[0] == self._topic

    # Partitions come and go

    def begin(self, bounds: Mapping[TopicPartition, Bounds], lanes: Mapping[TopicPartition, Lanes]) -> None:
        """`lanes` are those of the partitions of engagement.commands, `bounds` of all that are assigned."""
        mine = [tp for tp in bounds if tp in self]
        self._bounds, self._lanes, self._held = bounds, lanes, {tp: [] for tp in mine}
        # Equal partitions of both topics are one worker's, but for a moment while workers with and without history are one group.
        self._partitions = {tp: History(lanes[beside]) for tp in mine if (beside := self._beside(tp)) in lanes}
        if mine:
            self._turns = Turns(self._settings.history_rps * min(1.0, len(mine) / self._settings.partitions))

    def forget(self) -> None:
        """Nothing goes any more."""
        for looking in self._looking_back.values():
            looking.cancel()
        self._looking_back, self._partitions, self._held, self._known, self.queues = {}, {}, {}, set(), {}

    def hold(self, record: ConsumerRecord) -> bool:
        """Whether the record has to wait; it is accepted later."""
        tp = TopicPartition(record.topic, record.partition)
        if tp not in self._held or (tp in self._known and tenant_of(record.key) not in self._bounds[tp].committed.apart):
            return False
        self._held[tp].append(record)
        if tp in self._partitions and tp not in self._looking_back:
            self._looking_back[tp] = self._start(self._look_back(tp))
        return True

    async def _look_back(self, tp: TopicPartition) -> None:
        """What was held is accepted: it is known what was done before it, and which lanes were anonymized meanwhile.

        An anonymization that is numbered above a waiting record was written after it: so from the time of the first one
        on all are found, also those that were done by an earlier life, or will be by this one. What tenants that are apart
        have left may be much older, and nobody else's waits for that. Raises KafkaError.
        """
        committed = self._bounds[tp].committed
        async with self._one_looks_back:
            async for lane, command, _ in self._commands(read_done(kafka_options(self._settings), {tp: committed})):
                self._partitions[tp].is_new(lane, command.number)
            await self._find_anonymizations(tp, committed.offset)
        if committed.apart:
            self._known.add(tp)
            held, self._held[tp] = self._held[tp], []
            for record in held:
                self._accept(record)  # those of tenants that are apart are held once more
            async with self._one_looks_back:
                await self._find_anonymizations(tp, committed.first)
        for record in self._held.pop(tp):
            self._accept(record)

    async def _find_anonymizations(self, tp: TopicPartition, first: int) -> None:
        """Those since the record of history at the offset `first` are known to the lanes; if there is none yet, all to come will be."""
        beside, options = self._beside(tp), kafka_options(self._settings)
        if (since_ms := await time_of(options, tp, first)) is None:
            return
        async for lane, command, _ in self._commands(read_since(options, beside, since_ms - MARGIN_MS, self._bounds[beside].end)):
            if command.kind == "anonymize":
                self._lanes[beside].refuse_below(lane, command)

    def _beside(self, tp: TopicPartition) -> TopicPartition:
        """The partition of engagement.commands with the same lanes."""
        return TopicPartition(self._settings.topic_prefix + COMMANDS.name, tp.partition)

    # Commands

    def add(self, pending: Pending) -> list[Pending] | None:
        """What may go because of it; None where it is a repetition."""
        return [pending] if self._partitions[pending.source].is_new(pending.lane, pending.command.number) else None

    def turn(self, store: Store, live: Queue[Pending] | None, host: Pace, now_s: float) -> float:
        """When the next call of a store may start; now: it may, and is counted."""
        return self._turns.start(self.queues[store.store], live, store.project, host, now_s)

    def cut(self, store: Store, now_s: float) -> tuple[list[Pending], list[Pending]]:
        """The commands of one call, which is under way if there are any, and those that must not go any more: these cost no call."""
        queue, refused = self.queues[store.store], list[Pending]()
        while queue.next_s(now_s) <= now_s:
            cut = queue.cut(now_s)
            going = [command for command in cut if self._partitions[command.source].enter(command)]
            refused += [command for command in cut if command not in going]
            if going:
                return going, refused
            queue.not_called()
        return [], refused

    def leave(self, pending: Pending, now_s: float) -> list[Pending]:
        """It is no more under way; what of engagement.commands may go because of it."""
        history = self._partitions.get(pending.source)
        return history.leave(pending, now_s) if history else []

    def again(self, pending: Pending, now_s: float) -> list[Pending]:
        """As `leave`; it may go as well, unless its partition is gone."""
        return [pending, *self.leave(pending, now_s)] if pending.source in self._partitions else []
