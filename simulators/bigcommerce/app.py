"""All parts together as one ASGI app."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators.bigcommerce import carts, catalog, customers, orders, products, rest_v2, rest_v3
from simulators.bigcommerce.api import ApiError, Call, Handler, Platform
from simulators.bigcommerce.control import Control
from simulators.bigcommerce.hooks import Hooks
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.shop import Shop, Store
from simulators.bigcommerce.webhooks import Sender

HAPPENINGS = (customers, carts, orders, products)
"""Importing them teaches `shop.apply` their actions."""

ENDPOINTS: list[tuple[str, str, str, Handler]] = [
    ("GET", "/v3/customers", "customers", rest_v3.list_customers),
    ("GET", "/v3/customers/attributes", "customers", rest_v3.list_attributes),
    ("GET", "/v3/customers/attribute-values", "customers", rest_v3.list_attribute_values),
    ("GET", "/v3/customers/addresses", "customers", rest_v3.list_addresses),
    ("GET", "/v3/customers/subscribers", "customers", rest_v3.list_subscribers),
    ("GET", "/v3/customers/subscribers/{subscriber_id:int}", "customers", rest_v3.get_subscriber),
    ("GET", "/v3/carts/{cart_id}", "carts", rest_v3.get_cart),
    ("GET", "/v3/catalog/products", "products", catalog.list_products),
    ("GET", "/v3/catalog/products/{product_id:int}", "products", catalog.get_product),
    ("GET", "/v3/catalog/products/{product_id:int}/variants", "products", catalog.list_variants),
    ("GET", "/v3/catalog/brands", "products", catalog.list_brands),
    ("GET", "/v3/catalog/trees/categories", "products", catalog.list_tree_categories),
    ("GET", "/v3/hooks", "", rest_v3.list_hooks),
    ("POST", "/v3/hooks", "", rest_v3.create_hook),
    ("GET", "/v3/hooks/admin", "", rest_v3.get_hooks_admin),
    ("GET", "/v3/hooks/{hook_id:int}", "", rest_v3.get_hook),
    ("PUT", "/v3/hooks/{hook_id:int}", "", rest_v3.update_hook),
    ("DELETE", "/v3/hooks/{hook_id:int}", "", rest_v3.delete_hook),
    ("GET", "/v2/orders", "orders", rest_v2.list_orders),
    ("GET", "/v2/orders/count", "orders", rest_v2.count_orders),
    ("GET", "/v2/orders/{order_id:int}", "orders", rest_v2.get_order),
    ("GET", "/v2/orders/{order_id:int}/products", "orders", rest_v2.list_products),
    ("GET", "/v2/orders/{order_id:int}/coupons", "orders", rest_v2.list_coupons),
    ("GET", "/v2/orders/{order_id:int}/shipping_addresses", "orders", rest_v2.list_shipping_addresses),
    ("GET", "/v2/orders/{order_id:int}/shippingaddresses", "orders", rest_v2.list_shipping_addresses),
    ("GET", "/v2/orders/{order_id:int}/consignments", "orders", rest_v2.get_consignments),
    ("GET", "/v2/order_statuses", "orders", rest_v2.list_statuses),
    ("GET", "/v2/store", "information", rest_v2.get_store),
    ("GET", "/v2/time", "", rest_v2.get_time),
]
"""(method, path, the permission that it needs, handler)"""


class BigCommerce:
    """The stores and what they share. `app` serves it."""

    def __init__(self, seed: int) -> None:
        self.seed, self.knobs, self.hooks = seed, Knobs(), dict[str, Hooks]()
        self._instant_ms: int | None = None
        self.sender = Sender(self.knobs, self.now_ms, self.hooks, seed)
        self.platform = Platform(self.knobs, self.now_ms, self.sender.domains, seed)
        self.platform.hooks = self.hooks

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.knobs.clock_offset_ms if self._instant_ms is None else self._instant_ms

    @contextlib.contextmanager
    def one_instant(self) -> Iterator[None]:
        """The clock stands still, so that all times of one change, and of its webhook, are the same."""
        self._instant_ms = self.now_ms()
        try:
            yield
        finally:
            self._instant_ms = None

    def add_store(self, store: Store) -> None:
        self.hooks[store.hash] = Hooks(store.hash)
        self.platform.shops[store.hash] = Shop(store, self.knobs, self.now_ms, self.sender.publish, self.seed)

    def app(self) -> Starlette:
        routes = [Route(f"/stores/{{store_hash}}{path}", self._endpoint(method, path, permission, handler), methods=[method])
                  for method, path, permission, handler in ENDPOINTS]  # fmt: skip
        unknown = [
            Route(f"/stores/{{store_hash}}/{version}/{{rest:path}}", self._endpoint("", f"/{version}/*", "", _unknown))
            for version in ("v2", "v3")
        ]
        return Starlette(routes=[*routes, *unknown, *Control(self).routes()], lifespan=self._lifespan)

    def _endpoint(self, method: str, path: str, permission: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self.platform.answer(request, f"{method or request.method} {path}", permission, handler)

        return endpoint

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.sender.start()
        yield
        await self.sender.stop()


def _unknown(_: Call) -> tuple[int, None]:
    raise ApiError(404, "The requested resource was not found.")
