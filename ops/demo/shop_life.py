"""A shop's life at speed: what shoppers and the merchant do, drawn from a seed, as actions of the simulator.

Customers come, change, change their e-mail and leave; guests buy, and some register later; carts grow, shrink, are emptied
and convert; orders are shipped, refunded, cancelled; subscribers come, change their mind and go.
"""

import random
from dataclasses import dataclass, field
from typing import Any

Action = dict[str, Any]

FIRST = ("Ada", "Bela", "Chloe", "Dan", "Eve", "Femi", "Gia", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mira", "Nils", "Ola", "Pia")
LAST = ("Arroyo", "Brandt", "Costa", "Dubois", "Eriksen", "Fuchs", "Garcia", "Horvat", "Ito", "Jensen", "Kovac", "Larsen")
CITIES = (("Austin", "Texas", "United States", "US"), ("Lyon", "", "France", "FR"), ("Graz", "Steiermark", "Austria", "AT"))
CONSENTS: tuple[list[str], ...] = (["marketing_newsletter"], ["marketing_newsletter", "abandoned_cart"], ["abandoned_cart"], [])
LATER_STATUSES = (2, 10, 10, 4, 14, 5, 9)


@dataclass
class Cart:
    id: str
    lines: list[str]
    email: str
    customer: int


@dataclass
class ShopLife:
    """Call `next_actions`, post them, hand the answers to `learn`; `happened` counts what was done, by name."""

    seed: int
    happened: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a life to be lived again, no secret
        self._people = 0
        self._customers: dict[int, str] = {}
        self._subscribers: list[int] = []
        self._subscribed: set[str] = set()
        self._guests: list[str] = []
        self._carts: list[Cart] = []
        self._orders: list[int] = []
        self._asked: list[tuple[Action, Any]] = []

    def next_actions(self, count: int) -> list[Action]:
        """What happens next."""
        choices = (
            (self._register, 12),
            (self._change_account, 6),
            (self._change_address, 4),
            (self._change_email, 3),
            (self._leave, 2),
            (self._subscribe, 6),
            (self._change_mind, 4),
            (self._unsubscribe, 2),
            (self._start_cart, 18),
            (self._grow_cart, 14),
            (self._shrink_cart, 5),
            (self._show_email, 5),
            (self._empty_cart, 2),
            (self._buy, 12),
            (self._later_status, 8),
            (self._order_by_hand, 2),
        )
        self._asked = []
        while len(self._asked) < count:
            act = self._random.choices([c for c, _ in choices], [w for _, w in choices])[0]
            asked = act()
            if asked:
                self._asked.append(asked)
                name = act.__name__.removeprefix("_").replace("_", " ")
                self.happened[name] = self.happened.get(name, 0) + 1
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

    def _register(self) -> tuple[Action, Any]:
        came_back = self._guests and self._random.random() < 0.2
        email = self._guests.pop(self._random.randrange(len(self._guests))) if came_back else self._new_email()
        city, state, country, code = self._random.choice(CITIES)
        address = {"first_name": email.split(".")[0], "city": city, "state_or_province": state, "country": country, "country_code": code}
        action = {
            "action": "create_customer",
            "email": email,
            "first_name": email.split(".")[0],
            "last_name": self._random.choice(LAST),
            "phone": str(self._random.randrange(10**6)),
            "customer_group_id": self._random.randrange(3),
            "addresses": [address | {"postal_code": str(self._random.randrange(10**5))}] if self._random.random() < 0.7 else [],
            "attributes": {"Shoe Size": str(self._random.randrange(36, 47))} if self._random.random() < 0.3 else {},
            "form_fields": {"How did you hear about us?": "Friend"} if self._random.random() < 0.3 else {},
        }
        return action, lambda answer: self._customers.__setitem__(answer["id"], email)

    def _customer(self) -> int:
        return self._random.choice(list(self._customers)) if self._customers else 0

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

    def _change_email(self) -> tuple[Action, Any] | None:
        id = self._customer()
        if not id:
            return None
        self._customers[id] = self._new_email()
        return {"action": "update_customer", "id": id, "fields": {"email": self._customers[id]}}, None

    def _leave(self) -> tuple[Action, Any] | None:
        id = self._customer()
        if not id or len(self._customers) < 5:
            return None
        del self._customers[id]
        self._carts = [cart for cart in self._carts if cart.customer != id]
        return {"action": "delete_customer", "id": id}, None

    def _subscribe(self) -> tuple[Action, Any] | None:
        id = self._customer()
        email = self._customers[id] if id and self._random.random() < 0.6 else self._new_email()
        if email in self._subscribed:
            return None
        self._subscribed.add(email)
        action = {"action": "create_subscriber", "email": email, "consents": self._random.choice(CONSENTS[:3])}
        return action, lambda answer: self._subscribers.append(answer["id"])

    def _change_mind(self) -> tuple[Action, Any] | None:
        if not self._subscribers:
            return None
        fields = {"consents": self._random.choice(CONSENTS)}
        return {"action": "update_subscriber", "id": self._random.choice(self._subscribers), "fields": fields}, None

    def _unsubscribe(self) -> tuple[Action, Any] | None:
        if not self._subscribers:
            return None
        id = self._subscribers.pop(self._random.randrange(len(self._subscribers)))
        return {"action": "delete_subscriber", "id": id}, None

    def _line(self) -> dict[str, Any]:
        product = self._random.randrange(1, 60)
        price = f"{self._random.randrange(100, 20_000) / 100:.2f}"
        return {
            "product_id": product,
            "variant_id": product * 10 + self._random.randrange(3),
            "sku": f"SKU-{product}",
            "name": f"Product {product}",
            "brand": "Northwind",
            "price": price,
            "quantity": self._random.randrange(1, 4),
        }

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
        cart.email = self._new_email()
        return {"action": "set_cart_email", "cart_id": cart.id, "email": cart.email}, None

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
        email = self._customers.get(cart.customer, "") or cart.email or self._new_email()
        if not cart.customer:
            self._guests.append(email)
        city, state, country, code = self._random.choice(CITIES)
        billing = {"email": email, "city": city, "state": state, "country": country, "country_iso2": code}
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
        action = {"action": "create_order", "lines": [self._line()], "billing": {"email": email}}
        return action, lambda answer: self._orders.append(answer["id"])
