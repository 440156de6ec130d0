"""The demo's life in one process on a clock of its own: the simulated shop, resolve's real agents, the simulated Engagement, the judge.

What fetch and deliver do is drawn from the seed: when a webhook's entity is read, when the pages of the past come, in which order lanes
go. Products are left out. A life of 20 s takes about one.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

import simulators.bigcommerce.carts
import simulators.bigcommerce.customers
import simulators.bigcommerce.orders
import simulators.bigcommerce.products  # noqa: F401 - what happens to a shop registers itself
from ops.demo.compare import Row, Unheard, compare
from ops.demo.erased import as_deleted
from ops.demo.run import DAY_MS, PAST, TICK_S
from ops.demo.shop_life import ShopLife
from schemas.entities import CartGone, CustomerGone, OrderState, SubscriberGone
from schemas.keys import clean_email
from schemas.people import Erased
from schemas.records import Message
from schemas.topics import PAGES, WEBHOOKS, Topic
from simulators.bigcommerce.actions import AnyAction
from simulators.bigcommerce.control import _truth
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.order_body import shipping_addresses
from simulators.bigcommerce.shop import KINDS, Refused, Shop, Store, apply
from streams.fetch.rules.state import make_state
from streams.resolve.rules.change import Store as StoreOfResolve
from tests.streams.resolve.line import Line, lane_of
from tests.streams.resolve.simulated import Simulated

BEGAN_MS = 1_780_000_000_000
AGAIN_MS = 3000
OF = StoreOfResolve(store="abc123.1", domain="shop.example.com", currency="USD", lane_of=lane_of)


@dataclass(frozen=True)
class Weather:
    """`late_ms`: the most between a change and its read. `page_ms`: between two pages of the past. `history_late`: what they brought goes
    to Engagement at any later time."""

    late_ms: int = 700
    page_ms: int = 400
    history_late: bool = False
    rounds: int = 80
    past: int = 60


class JudgedLife:
    """Run `live`; `rows` is what the judge says then."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.now_ms, self._weather, self.life = BEGAN_MS, weather, ShopLife(seed)
        self.random = random.Random(f"judged {seed}")
        self.shop = Shop(Store(hash="abc123", store_id=1, access_token="t"), Knobs(), lambda: self.now_ms, self._fire, seed)
        self.line = Line(seed, one_line=False, stores=[OF])
        self._due: list[tuple[int, int, str, Any, Any, Topic]] = []
        self._number, self._heard = 0, False
        self._accounts: set[int] = set()
        self.known_ms = BEGAN_MS

    def _fire(self, _: Store, scope: str, data: dict[str, Any]) -> None:
        if not self._heard:
            return
        kind, event = scope.split("/")[1], scope.rpartition("/")[2]
        if kind == "customer" and "address" in scope:
            self._later("customer", data["address"]["customer_id"], None)
        elif kind == "cart":
            id = data.get("cartId", data["id"])
            ended = event == "converted" or (event == "deleted" and "lineItem" not in scope)
            self._later("cart", id, (event == "converted",) if ended else None)
            if event == "converted":
                self._later("order", data["orderId"], None)
        elif kind in ("customer", "subscriber", "order"):
            self._later(kind, data["id"], (False,) if event == "deleted" else None)

    def _later(self, kind: str, id: Any, gone: tuple[bool] | None, cause: Topic = WEBHOOKS) -> None:
        stamp_ms = self.now_ms // 1000 * 1000
        first_ms = self.now_ms + self.random.randrange(self._weather.late_ms)
        for at_ms in (first_ms,) if gone else (first_ms, first_ms + AGAIN_MS):
            self._number += 1
            heapq.heappush(self._due, (at_ms, self._number, kind, id, gone and (gone[0], stamp_ms), cause))

    def _read(self, kind: str, id: Any, cause: Topic) -> None:
        body = self.shop.entities[kind][int(id) if kind != "cart" else id].body
        if body is None:
            return
        if kind == "order":
            body = body["order"] | {"products": body["products"], "shipping_addresses": shipping_addresses(body)}
        made = make_state(OF.store, kind, str(id), orjson.dumps(body, default=str), self.now_ms // 1000 * 1000)
        if isinstance(made.state, OrderState) or kind == "cart":
            account = int(made.account or 0)
            if account and account not in self._accounts and cause is WEBHOOKS:
                self._read("customer", account, cause)
        if kind == "customer":
            self._accounts.add(int(id))
            made = msgspec.structs.replace(made, state=msgspec.structs.replace(made.state, attribute_names={"1": "Shoe Size"}))
        self.line.tell(made.state, cause=cause)

    def _work(self, *, all_of_it: bool = False) -> None:
        while self._due and (all_of_it or self._due[0][0] <= self.now_ms):
            at_ms, _, kind, id, gone, cause = heapq.heappop(self._due)
            self.now_ms = max(self.now_ms, at_ms)
            if gone:
                told: dict[str, type] = {"customer": CustomerGone, "subscriber": SubscriberGone, "cart": CartGone}
                more = {"converted": gone[0]} if kind == "cart" else {}
                message: Message = told[kind](store=OF.store, id=str(id), told=True, at_ms=gone[1], read_at_ms=0, **more)
                self.line.tell(message)
            else:
                self._read(kind, id, cause)
            self.line.run()
        looks, self.line.looks = self.line.looks, []
        for look in looks:
            self._later(look.resource, int(look.id), None)

    def _act(self, actions: Sequence[dict[str, Any]]) -> None:
        answers = []
        for action in actions:
            try:
                answers.append(apply(msgspec.convert(action, AnyAction), self.shop))
            except Refused as error:
                raise AssertionError(f"{action} is refused: {error}") from error
        self.life.learn(answers)

    def live(self) -> "JudgedLife":
        for days, actions in zip(PAST, self.life.past(self._weather.past), strict=True):
            self.now_ms = BEGAN_MS - days * DAY_MS
            self._act(actions)
        self.now_ms, self._heard = BEGAN_MS, True
        pages = [
            (kind, list(self.shop.entities[kind])[first : first + 50])
            for kind in ("customer", "subscriber", "order")
            for first in range(0, len(self.shop.entities[kind]), 50)
        ]
        for n, (kind, ids) in enumerate(pages):
            for id in ids:
                self._number += 1
                heapq.heappush(self._due, (BEGAN_MS + self._weather.page_ms * (n + 1), self._number, kind, id, None, PAGES))
        self.known_ms = BEGAN_MS + self._weather.page_ms * len(pages)
        for _ in range(self._weather.rounds):
            self._act(self.life.next_actions(6))
            self._work()
            self.now_ms += int(1000 * TICK_S)
        while self._due or self.line.waiting() or self.line.looks:
            self._work(all_of_it=True)
        self.now_ms += 10_000
        leaving = self.life.erased(3)
        for email in leaving.values():
            self.line.tell(Erased(store=OF.store, email=clean_email(email), at_ms=self.now_ms)).run()
        self.erased = dict.fromkeys(leaving, self.now_ms)
        return self

    def rows(self) -> list[Row]:
        ended = Simulated()
        ended.deliver(self.line.commands, self.life.seed, shuffle=True, history=self.line.history if self._weather.history_late else ())
        state = ended.project.state()
        entities = {kind: [_truth(kind, e) for e in self.shop.entities[kind].values() if e.states] for kind in KINDS if kind != "product"}
        shop = orjson.loads(orjson.dumps(entities, default=str))
        past = Unheard(0.0, BEGAN_MS / 1000, self.known_ms / 1000 + 1)
        unread_s = self._weather.late_ms / 1000
        shop = as_deleted(shop, self.erased)
        return compare(shop, orjson.loads(orjson.dumps(state, default=msgspec.to_builtins)), len(self.line.letters), unread_s, [past])

    def differences(self) -> list[str]:
        return [f"{row.what}: {wrong}" for row in self.rows() for wrong in row.wrong]
