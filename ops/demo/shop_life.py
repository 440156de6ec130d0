"""A shop's life at speed: what shoppers and the merchant do, drawn from a seed, as actions of the simulator.

Customers come, change, change their e-mail, leave and come back; guests buy, buy again, and some register later; carts grow,
shrink, are emptied and convert; orders are shipped, refunded, cancelled; subscribers come, change their mind and go. E-mails
pass from one person to another, and are typed as people type them. Products change their price, stock, name, variants, brand and
categories, and vanish.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Action = dict[str, Any]

FIRST = ("Ada", "Bela", "Chloe", "Dan", "Eve", "Femi", "Gia", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mira", "Nils", "Ola", "Pia")
LAST = ("Arroyo", "Brandt", "Costa", "Dubois", "Eriksen", "Fuchs", "Garcia", "Horvat", "Ito", "Jensen", "Kovac", "Larsen")
CITIES = (("Austin", "Texas", "United States", "US"), ("Lyon", "", "France", "FR"), ("Graz", "Steiermark", "Austria", "AT"))
CONSENTS: tuple[list[str], ...] = (["marketing_newsletter"], ["marketing_newsletter", "abandoned_cart"], ["abandoned_cart"], [])
COLORS, THINGS = ("Red", "Blue", "Green", "Black"), ("Jar", "Towel", "Lamp", "Mug", "Chair", "Bowl")
TRACKINGS = ("none", "product", "variant")
PAST_STATUSES = (11, 10, 10, 2, 4, 5, 0)
LATER_STATUSES = (2, 10, 10, 4, 14, 5, 9)
# What docs/guarantees.md does not promise is left out, for nobody could say what is right: who takes an e-mail is not met before the state
# by which the one before left it, so it is free for another only so many rounds of actions later.
LEFT_ROUNDS = 40
# The same for the e-mail of a deleted account; one that registers in the deletion's own second also has no profile until it changes.
GONE_ROUNDS = 40
TYPED_ODDLY, KNOWN_EMAIL, GUEST_REGISTERS = 0.15, 0.15, 0.2  # chances


@dataclass
class Cart:
    id: str
    lines: list[str]
    email: str
    customer: int
    coupon: bool = False


@dataclass
class Goods:
    """A product: its variants with options; none where it has only its base variant, `base`."""

    variants: list[int]
    base: int


@dataclass
class ShopLife:
    """Call `next_actions`, post them, hand the answers to `learn`; `happened` counts what was done, by name.

    Before, where the shop is to have one, the same with each of `past`.
    """

    seed: int
    happened: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a life to be lived again, no secret
        self._people = 0
        self._ids_to_come = itertools.count(-1, -1)  # of what the shop has not yet answered
        self._customers: dict[int, str] = {}
        self._since: dict[int, int] = {}  # in which round an account was registered
        self._subscribers: dict[int, str] = {}
        self._guests: list[str] = []
        self._left: dict[str, int] = {}  # e-mails that accounts changed for others, and in which round
        self._gone: dict[str, int] = {}  # e-mails of deleted accounts, and in which round
        self._round = 0
        self._withdrawn: dict[int, str] = {}  # subscribers who withdrew their consent long ago and did nothing since
        self._next: list[tuple[Action, Any]] = []  # what was begun and is still to be done
        self._carts: list[Cart] = []
        self._orders: list[int] = []
        self._goods: dict[int, Goods] = {}
        self._brands: list[int] = []
        self._categories: list[int] = []
        self._touched: set[int] = set()  # products of this round: what happens to one waits for what happened before
        self._asked: list[tuple[Action, Any]] = []

    def past(self, people: int) -> Iterator[list[Action]]:
        """What happened before anybody followed: what is sold; accounts; subscribers, most of whom then withdrew their consent and did
        nothing since; other subscribers; orders of accounts and of guests."""
        self._asked = [asked for make in (self._new_brand, self._new_category) for _ in range(4) if (asked := make())]
        yield [action for action, _ in self._asked]
        self._asked = [asked for _ in range(people // 10) if (asked := self._new_product())]
        yield [action for action, _ in self._asked]
        self._asked = [self._register_with(self._new_email()) for _ in range(people)]
        yield [action for action, _ in self._asked]
        self._asked = [self._subscribe_long_ago(has_account=n % 3 == 0) for n in range(max(8, people // 30))]
        yield [action for action, _ in self._asked]
        self._asked = [
            ({"action": "update_subscriber", "id": id, "fields": {"consents": []}}, None)
            for id in list(self._withdrawn)[len(self._withdrawn) // 4 :]
        ]
        yield [action for action, _ in self._asked]
        self._asked = [asked for _ in range(people // 3) if (asked := self._subscribe())]
        yield [action for action, _ in self._asked]
        self._asked = [self._past_order() for _ in range(people)]
        yield [action for action, _ in self._asked]

    def _past_order(self) -> tuple[Action, Any]:
        customer = self._customer() if self._random.random() < 0.5 else 0
        email = self._customers[customer] if customer else self._random.choice([*self._guests[-20:], self._new_email()])
        if not customer and email not in self._guests:
            self._guests.append(email)
        city, state, country, code = self._random.choice(CITIES)
        action: Action = {
            "action": "create_order",
            "lines": [self._line() for _ in range(self._random.randrange(1, 3))],
            "billing": {"email": self._typed(email), "city": city, "state": state, "country": country, "country_iso2": code},
            "status": self._random.choice(PAST_STATUSES),
            "order_source": "www",
        }
        return action | ({"customer_id": customer} if customer else {}), lambda answer: self._orders.append(answer["id"])

    def next_actions(self, count: int) -> list[Action]:
        """What happens next."""
        choices = (
            (self._register, 12),
            (self._change_account, 6),
            (self._change_address, 4),
            (self._change_email, 3),
            (self._take_left_email, 1),
            (self._take_known_email, 1),
            (self._swap_emails, 1),
            (self._leave, 2),
            (self._register_left_email, 1),
            (self._come_back, 2),
            (self._subscribe, 6),
            (self._change_mind, 4),
            (self._unsubscribe, 2),
            (self._consent_anew, 1),
            (self._start_cart, 18),
            (self._grow_cart, 14),
            (self._shrink_cart, 5),
            (self._show_email, 5),
            (self._use_coupon, 2),
            (self._empty_cart, 2),
            (self._buy, 12),
            (self._later_status, 8),
            (self._order_by_hand, 2),
            (self._new_brand, 1),
            (self._new_category, 1),
            (self._new_product, 8),
            (self._change_product, 5),
            (self._change_stock, 3),
            (self._change_variant, 4),
            (self._new_variant, 2),
            (self._drop_variant, 1),
            (self._drop_product, 1),
        )
        self._asked, self._round, self._touched = [], self._round + 1, set()
        while len(self._asked) < count:
            if self._next:
                self._asked.append(self._next.pop(0))
                continue
            act = self._random.choices([c for c, _ in choices], [w for _, w in choices])[0]
            asked = act()
            if asked:
                self._asked.append(asked)
                name = act.__name__.removeprefix("_").replace("_", " ")
                self.happened[name] = self.happened.get(name, 0) + 1
        return [action for action, _ in self._asked]

    def erased(self, count: int) -> dict[int, str]:
        """Accounts whose people ask to be erased, and their e-mails; they do nothing any more."""
        able = [id for id in self._customers if id > 0]
        leaving = {id: self._customers.pop(id) for id in self._random.sample(able, min(count, len(able)))}
        self._carts = [cart for cart in self._carts if cart.customer not in leaving]
        self._subscribers = {id: email for id, email in self._subscribers.items() if email not in leaving.values()}
        self._guests = [email for email in self._guests if email not in leaving.values()]
        return leaving

    def unheard(self) -> list[Action]:
        """What happens while nobody is told; people stay who they are, for what comes late is met in another order."""
        acts = (
            *[lambda: self._register_with(self._new_email())] * 6,
            *[self._change_account] * 10,
            *[lambda: self._subscribe_with(self._new_email())] * 6,
            *[self._change_mind] * 6,
            *[self._unsubscribe] * 8,
            *[self._past_order] * 10,
            *[self._order_by_hand] * 4,
            *[self._later_status] * 10,
        )
        self._asked = [asked for act in acts if (asked := act())]
        return [action for action, _ in self._asked]

    def all_unsubscribed(self) -> list[Action]:
        """The merchant deletes all subscribers at once."""
        self._subscribers, self._withdrawn = {}, {}
        self._asked = [({"action": "delete_all_subscribers"}, None)]
        return [action for action, _ in self._asked]

    def learn(self, answers: list[dict[str, Any]]) -> None:
        """What the shop answered to the last actions, in their order."""
        for (action, then), answer in zip(self._asked, answers, strict=True):
            if "error" in answer:
                raise RuntimeError(f"the simulator refused {action['action']}: {answer['error']}")
            if then:
                then(answer)

    def _new_email(self) -> str:
        self._people += 1
        return f"{self._random.choice(FIRST)}.{self._people}@example.com"

    def _typed(self, email: str) -> str:
        """As its owner types it this time."""
        return f" {email.title()} " if self._random.random() < TYPED_ODDLY else email

    def _free(self, emails: list[str]) -> str:
        """One of them that no account has now and that one may take, "" where there is none."""
        taken = set(self._customers.values())
        taken |= {email for email, gone in self._gone.items() if self._round - gone < GONE_ROUNDS}
        taken |= {email for email, left in self._left.items() if self._round - left < LEFT_ROUNDS}
        free = [email for email in emails if email not in taken]
        return self._random.choice(free) if free else ""

    def _known_email(self) -> str:
        """Of somebody who is known already, or was; a new one where nobody is."""
        known = [*self._guests, *self._left, *self._gone, *self._subscribers.values(), *self._customers.values()]
        return self._random.choice(known) if known else self._new_email()

    def _register(self) -> tuple[Action, Any]:
        return self._register_with((self._random.random() < GUEST_REGISTERS and self._free(self._guests)) or self._new_email())

    def _register_left_email(self) -> tuple[Action, Any] | None:
        email = self._free(list(self._left))
        return self._register_with(email) if email else None

    def _come_back(self) -> tuple[Action, Any] | None:
        email = self._free(list(self._gone))
        return self._register_with(email) if email else None

    def _register_with(self, email: str) -> tuple[Action, Any]:
        city, state, country, code = self._random.choice(CITIES)
        name = email.partition(".")[0].title()
        address = {"first_name": name, "city": city, "state_or_province": state, "country": country, "country_code": code}
        action = {
            "action": "create_customer",
            "email": self._typed(email),
            "first_name": name,
            "last_name": self._random.choice(LAST),
            "phone": str(self._random.randrange(10**6)),
            "customer_group_id": self._random.randrange(3),
            "addresses": [address | {"postal_code": str(self._random.randrange(10**5))}] if self._random.random() < 0.7 else [],
            "attributes": {"Shoe Size": str(self._random.randrange(36, 47))} if self._random.random() < 0.3 else {},
            "form_fields": {"How did you hear about us?": "Friend"} if self._random.random() < 0.3 else {},
        }
        self._customers[next(self._ids_to_come)] = email  # at once; its id comes with the answer
        return action, lambda answer: self._registered(answer["id"], email)

    def _registered(self, id: int, email: str) -> None:
        self._customers = {known: kept for known, kept in self._customers.items() if known > 0 or kept != email}
        self._customers[id] = email
        self._since[id] = self._round

    def _customer(self) -> int:
        known = [id for id in self._customers if id > 0]
        return self._random.choice(known) if known else 0

    def _change_account(self) -> tuple[Action, Any] | None:
        fields: dict[str, Any] = {
            "phone": self._random.choice(["", str(self._random.randrange(10**6))]),
            "last_name": self._random.choice(LAST),
        }
        return ({"action": "update_customer", "id": id, "fields": fields}, None) if (id := self._customer()) else None

    def _change_address(self) -> tuple[Action, Any] | None:
        city, state, country, code = self._random.choice(CITIES)
        fields = {"city": city, "state_or_province": state, "country": country, "country_code": code, "first_name": "Home"}
        return ({"action": "create_address", "customer_id": id, "fields": fields}, None) if (id := self._customer()) else None

    def _move(self, id: int, email: str) -> tuple[Action, Any]:
        self._left[self._customers[id]] = self._round
        self._customers[id] = email
        return {"action": "update_customer", "id": id, "fields": {"email": self._typed(email)}}, None

    def _change_email(self) -> tuple[Action, Any] | None:
        id = self._customer()
        return self._move(id, self._new_email()) if id else None

    def _take_left_email(self) -> tuple[Action, Any] | None:
        """Of another account, one that is deleted too, or its own of before."""
        id, email = self._customer(), self._free([*self._left, *self._gone])
        return self._move(id, email) if id and email else None

    def _take_known_email(self) -> tuple[Action, Any] | None:
        """A guest's or a subscriber's: that e-mail has a profile of its own."""
        id, email = self._customer(), self._free([*self._guests, *self._subscribers.values()])
        return self._move(id, email) if id and email else None

    def _swap_emails(self) -> tuple[Action, Any] | None:
        able = [id for id in self._customers if id > 0 and self._round - self._since[id] >= LEFT_ROUNDS]
        if len(able) < 2:
            return None
        one, other = self._random.sample(able, 2)
        first, second = self._customers[one], self._customers[other]
        begun = self._move(one, self._new_email())
        self._next = [self._move(other, first), self._move(one, second)]
        return begun

    def _leave(self) -> tuple[Action, Any] | None:
        id = self._customer()
        if not id or len(self._customers) < 5:
            return None
        self._gone[self._customers.pop(id)] = self._round
        self._carts = [cart for cart in self._carts if cart.customer != id]
        return {"action": "delete_customer", "id": id}, None

    def _subscribe(self) -> tuple[Action, Any] | None:
        id = self._customer()
        email = self._customers[id] if id and self._random.random() < 0.6 else self._new_email()
        if self._random.random() < KNOWN_EMAIL:
            email = self._known_email()
        if email in {*self._subscribers.values(), *self._withdrawn.values()}:
            return None
        return self._subscribe_with(email)

    def _subscribe_with(self, email: str) -> tuple[Action, Any]:
        self._subscribers[next(self._ids_to_come)] = email  # taken at once; its id comes with the answer
        action = {"action": "create_subscriber", "email": self._typed(email), "consents": self._random.choice(CONSENTS[:3])}
        return action, lambda answer: self._subscribed(answer["id"], email)

    def _subscribe_long_ago(self, *, has_account: bool) -> tuple[Action, Any]:
        able = [e for id, e in self._customers.items() if id > 0 and e not in self._subscribers.values()] if has_account else []
        email = self._random.choice(able) if able else self._new_email()
        action, _ = self._subscribe_with(email)
        return action, lambda answer: self._did_nothing_since(answer["id"], email)

    def _did_nothing_since(self, id: int, email: str) -> None:
        self._subscribers = {known: kept for known, kept in self._subscribers.items() if kept != email}
        self._withdrawn[id] = email

    def _consent_anew(self) -> tuple[Action, Any] | None:
        """One who withdrew long ago, and may have an account; some never do."""
        if len(self._withdrawn) < 6:
            return None
        id = self._random.choice(list(self._withdrawn))
        self._subscribers[id] = self._withdrawn.pop(id)
        return {"action": "update_subscriber", "id": id, "fields": {"consents": CONSENTS[1]}}, None

    def _subscribed(self, id: int, email: str) -> None:
        self._subscribers = {known: kept for known, kept in self._subscribers.items() if known > 0 or kept != email}
        self._subscribers[id] = email

    def _subscriber(self) -> int:
        known = [id for id in self._subscribers if id > 0]
        return self._random.choice(known) if known else 0

    def _change_mind(self) -> tuple[Action, Any] | None:
        fields = {"consents": self._random.choice(CONSENTS)}
        return ({"action": "update_subscriber", "id": id, "fields": fields}, None) if (id := self._subscriber()) else None

    def _unsubscribe(self) -> tuple[Action, Any] | None:
        id = self._subscriber()
        if not id:
            return None
        del self._subscribers[id]
        return {"action": "delete_subscriber", "id": id}, None

    def _line(self) -> dict[str, Any]:
        product, variant = self._thing()
        price = f"{self._random.randrange(100, 20_000) / 100:.2f}"
        return {
            "product_id": product,
            "variant_id": variant,
            "sku": f"SKU-{product}",
            "name": f"Product {product}",
            "brand": "Northwind",
            "price": price,
            "quantity": self._random.randrange(1, 4),
        }

    def _thing(self) -> tuple[int, int]:
        """A product and its variant; as yet, or for once, one that the shop does not list."""
        if self._goods and self._random.random() < 0.9:
            id = self._random.choice(list(self._goods))
            return id, self._random.choice(self._goods[id].variants or [self._goods[id].base])
        product = 100_000 + self._random.randrange(60)
        return product, product * 10

    def _new_brand(self) -> tuple[Action, Any] | None:
        if len(self._brands) > 8:
            return None
        action = {"action": "create_brand", "name": f"{self._random.choice(LAST)} {self._round}"}
        return action, lambda answer: self._brands.append(answer["id"])

    def _new_category(self) -> tuple[Action, Any] | None:
        if len(self._categories) > 12:
            return None
        parent = self._random.choice([0, *self._categories])
        action = {"action": "create_category", "name": f"{self._random.choice(THINGS)}s {self._round}", "parent_id": parent}
        return action, lambda answer: self._categories.append(answer["id"])

    def _new_product(self) -> tuple[Action, Any] | None:
        if len(self._goods) > 60:
            return None
        fields = self._place() | {
            "name": f"{self._random.choice(THINGS)} {self._round}",
            "sku": f"SKU-{self._round}",
            "description": f"<p>{self._random.choice(THINGS)}</p>",
            "price": self._price(),
            "inventory_tracking": self._random.choice(TRACKINGS),
            "inventory_level": self._random.randrange(50),
            "upc": str(self._random.randrange(10**6)),
        }
        colors = self._random.sample(COLORS, self._random.randrange(3))
        image = self._random.choice(["", f"https://cdn.example.com/{self._round}.jpg"])
        action = {"action": "create_product", "fields": fields, "variants": [self._variant(color) for color in colors], "image": image}

        def made(answer: dict[str, Any]) -> None:
            ids = answer["variant_ids"]
            self._goods[answer["id"]] = Goods(ids if colors else [], ids[0])

        return action, made

    def _place(self) -> dict[str, Any]:
        """A brand and categories, or none."""
        among = self._random.sample(self._categories, self._random.randrange(min(3, len(self._categories) + 1)))
        return {"brand_id": self._random.choice([0, *self._brands]), "categories": among}

    def _price(self) -> float:
        return self._random.randrange(100, 20_000) / 100

    def _variant(self, color: str) -> dict[str, Any]:
        price = self._price()
        return {
            "options": [{"name": "Color", "label": color}, {"name": "Size", "label": self._random.choice("SML")}],
            "sku": f"SKU-{self._round}-{color}",
            **self._random.choice([{}, {"price": str(price)}, {"price": str(price), "sale_price": str(round(price / 2, 2))}]),
            "inventory_level": self._random.randrange(20),
            "image_url": self._random.choice(["", "https://cdn.example.com/v.jpg"]),
        }

    def _product(self, *, with_variants: int = 0) -> int:
        """One to which nothing has happened in this round, 0 where there is none."""
        free = [id for id, goods in self._goods.items() if id not in self._touched and len(goods.variants) >= with_variants]
        id = self._random.choice(free) if free else 0
        self._touched.add(id)
        return id

    def _change_product(self) -> tuple[Action, Any] | None:
        price = self._price()
        fields = self._random.choice(
            (
                {"price": price, "sale_price": 0},
                {"price": price, "sale_price": round(price * 0.8, 2)},
                {"name": f"{self._random.choice(THINGS)} {self._round}"},
                {"is_visible": self._random.random() < 0.7},
                {"availability": self._random.choice(["available", "disabled", "preorder"])},
                {"condition": self._random.choice(["New", "Used"]), "description": ""},
                self._place(),
            )
        )
        return ({"action": "update_product", "id": id, "fields": fields}, None) if (id := self._product()) else None

    def _change_stock(self) -> tuple[Action, Any] | None:
        fields: dict[str, Any] = {"inventory_level": self._random.randrange(50)}
        if self._random.random() < 0.3:
            fields["inventory_tracking"] = self._random.choice(TRACKINGS)
        return ({"action": "update_product", "id": id, "fields": fields}, None) if (id := self._product()) else None

    def _change_variant(self) -> tuple[Action, Any] | None:
        id = self._product(with_variants=1)
        if not id:
            return None
        fields = self._random.choice(
            (
                {"price": self._price(), "sale_price": None},
                {"inventory_level": self._random.randrange(20)},
                {"purchasing_disabled": self._random.random() < 0.5},
                {"sku": f"SKU-{self._round}"},
            )
        )
        return {"action": "update_variant", "id": self._random.choice(self._goods[id].variants), "fields": fields}, None

    def _new_variant(self) -> tuple[Action, Any] | None:
        id = self._product()
        if not id or len(self._goods[id].variants) > 6:
            return None
        action = {"action": "create_variant", "product_id": id, "variant": self._variant(self._random.choice(COLORS))}
        return action, lambda answer: self._goods[id].variants.append(answer["id"])

    def _drop_variant(self) -> tuple[Action, Any] | None:
        id = self._product(with_variants=2)
        if not id:
            return None
        variants = self._goods[id].variants
        return {"action": "delete_variant", "id": variants.pop(self._random.randrange(len(variants)))}, None

    def _drop_product(self) -> tuple[Action, Any] | None:
        id = self._product()
        if not id or len(self._goods) < 5:
            return None
        del self._goods[id]
        return {"action": "delete_product", "id": id}, None

    def _start_cart(self) -> tuple[Action, Any] | None:
        if len(self._carts) > 300:
            return None
        customer = self._customer() if self._random.random() < 0.4 else 0
        action: Action = {"action": "create_cart", "lines": [self._line() for _ in range(self._random.randrange(1, 3))]}
        if customer:
            action["customer_id"] = customer
        return action, lambda answer: self._carts.append(Cart(answer["id"], answer["line_ids"], "", customer))

    def _cart(self) -> Cart | None:
        used = {action.get("cart_id") for action, _ in self._asked}
        free = [cart for cart in self._carts[-100:] if cart.id not in used]
        return self._random.choice(free) if free else None

    def _grow_cart(self) -> tuple[Action, Any] | None:
        cart = self._cart()
        if not cart:
            return None

        def then(answer: dict[str, Any]) -> None:
            if answer["line_id"] not in cart.lines:
                cart.lines.append(answer["line_id"])

        return {"action": "add_line", "cart_id": cart.id, "line": self._line()}, then

    def _shrink_cart(self) -> tuple[Action, Any] | None:
        cart = self._cart()
        if not cart or len(cart.lines) < 2:
            return None
        if self._random.random() < 0.5:
            return {"action": "set_quantity", "cart_id": cart.id, "line_id": cart.lines[0], "quantity": self._random.randrange(1, 9)}, None
        return {"action": "remove_line", "cart_id": cart.id, "line_id": cart.lines.pop()}, None

    def _show_email(self) -> tuple[Action, Any] | None:
        cart = self._cart()
        if not cart or cart.customer or cart.email:
            return None
        cart.email = self._known_email() if self._random.random() < KNOWN_EMAIL else self._new_email()
        return {"action": "set_cart_email", "cart_id": cart.id, "email": self._typed(cart.email)}, None

    def _use_coupon(self) -> tuple[Action, Any] | None:
        cart = self._cart()
        if not cart or cart.coupon:
            return None
        cart.coupon = True
        return {"action": "apply_coupon", "cart_id": cart.id, "coupon": {"code": "TEN", "percent": "10"}}, None

    def _empty_cart(self) -> tuple[Action, Any] | None:
        cart = self._cart()
        if not cart:
            return None
        self._carts.remove(cart)
        return {"action": "delete_cart", "cart_id": cart.id}, None

    def _buy(self) -> tuple[Action, Any] | None:
        cart = self._cart()
        if not cart:
            return None
        self._carts.remove(cart)
        email = self._customers.get(cart.customer, "") or cart.email
        if not email:
            email = self._known_email() if self._random.random() < KNOWN_EMAIL else self._new_email()
        if not cart.customer and email not in self._guests:
            self._guests.append(email)
        city, state, country, code = self._random.choice(CITIES)
        billing = {"email": self._typed(email), "city": city, "state": state, "country": country, "country_iso2": code}
        action = {"action": "checkout", "cart_id": cart.id, "billing": billing, "shipping_cost": "4.90"}
        return action, lambda answer: self._orders.append(answer["id"])

    def _later_status(self) -> tuple[Action, Any] | None:
        if not self._orders:
            return None
        action = {"action": "set_order_status", "id": self._random.choice(self._orders), "status": self._random.choice(LATER_STATUSES)}
        return action, None

    def _order_by_hand(self) -> tuple[Action, Any]:
        email = self._new_email()
        self._guests.append(email)
        action = {"action": "create_order", "lines": [self._line()], "billing": {"email": self._typed(email)}}
        return action, lambda answer: self._orders.append(answer["id"])
