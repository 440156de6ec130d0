"""What shoppers and the merchant do: the items of `POST /_sim/actions`, each named by `action` in snake_case, e.g. `create_customer`."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

Quantity = Annotated[int, msgspec.Meta(ge=0)]
Status = Annotated[int, msgspec.Meta(ge=0, le=14)]
Fields = dict[str, Any]


class Action(
    msgspec.Struct,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="action",
    tag=lambda name: re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(),
):
    store: str = ""
    """The store's hash; empty: the first store."""


class Line(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What lies in a cart or is ordered. Prices are per piece, without tax, in the cart's or order's currency."""

    product_id: int = 0
    variant_id: int | None = None
    sku: str = ""
    name: str = ""
    brand: str = ""
    price: Decimal
    sale_price: Decimal | None = None
    quantity: Annotated[int, msgspec.Meta(ge=1)] = 1
    type: Literal["physical", "digital", "gift_certificate", "custom"] = "physical"
    recipient_email: str = ""
    """Of a gift certificate."""


class Coupon(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Takes `percent` of the lines' total off, or `amount`."""

    code: str
    percent: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


class CreateCustomer(Action):
    """Answers `id` and `address_ids`. Fires customer/created (its addresses come with it and fire nothing)."""

    email: str
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    phone: str = ""
    customer_group_id: int = 0
    channel_id: int = 1
    addresses: list[Fields] = []
    attributes: dict[str, str] = {}
    form_fields: Fields = {}


class UpdateCustomer(Action):
    """`fields` are the account's own and fire customer/updated; attributes and form fields change in silence, without date_modified."""

    id: int
    fields: Fields = {}
    attributes: dict[str, str] = {}
    form_fields: Fields = {}


class DeleteCustomer(Action):
    id: int


class CreateAddress(Action):
    """Answers the address's `id`. Fires customer/address/created only; the customer's date_modified stays."""

    customer_id: int
    fields: Fields = {}


class UpdateAddress(Action):
    id: int
    fields: Fields = {}


class DeleteAddress(Action):
    id: int


class CreateSubscriber(Action):
    email: str
    first_name: str = ""
    last_name: str = ""
    source: Literal["storefront", "order", "custom"] = "storefront"
    order_id: int | None = None
    channel_id: int = 1
    consents: list[Literal["marketing_newsletter", "abandoned_cart"]] = msgspec.field(default_factory=lambda: ["marketing_newsletter"])


class UpdateSubscriber(Action):
    id: int
    fields: Fields


class DeleteSubscriber(Action):
    id: int


class DeleteAllSubscribers(Action):
    """At once, as the merchant can; answers their `ids`. Fires nothing."""


class CreateCart(Action):
    """Answers the cart's `id` and `line_ids`. Fires created, updated and one lineItem/created per line."""

    lines: Annotated[list[Line], msgspec.Meta(min_length=1)]
    customer_id: int = 0
    email: str = ""
    currency: str = ""
    channel_id: int = 1


class AddLine(Action):
    """Answers `line_id`: a new line, or that of the same variant, whose quantity grows."""

    cart_id: str
    line: Line


class SetQuantity(Action):
    """0 removes the line."""

    cart_id: str
    line_id: str
    quantity: Quantity


class RemoveLine(Action):
    """The cart's last line takes the cart with it."""

    cart_id: str
    line_id: str


class SetCartEmail(Action):
    cart_id: str
    email: str


class SetCartCustomer(Action):
    cart_id: str
    customer_id: int


class ApplyCoupon(Action):
    cart_id: str
    coupon: Coupon


class DeleteCart(Action):
    cart_id: str


class OrderFields(Action, kw_only=True):
    billing: Fields = {}
    """Fields of `billing_address`."""
    shipping: Fields = {}
    """Fields of the shipping address; those that are absent are as in `billing`."""
    pickup: bool = False
    shipping_cost: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    payment_method: str = "Credit Card"
    status: Status = 11


class Checkout(OrderFields):
    """An order of the cart, Incomplete (0) at first, then of `status`. Answers `id`.

    With `status` 0 it stays Incomplete and the cart stays, until set_order_status takes it from 0: then the cart is converted and gone.
    """

    cart_id: str
    order_source: str = "www"


class CreateOrder(OrderFields):
    """An order without a cart, of `status` from its beginning, as the merchant makes it by hand. Answers `id`."""

    lines: Annotated[list[Line], msgspec.Meta(min_length=1)]
    coupons: list[Coupon] = []
    customer_id: int = 0
    currency: str = ""
    channel_id: int = 1
    order_source: str = "manual"


class SetOrderStatus(Action):
    """Fires statusUpdated and updated; nothing where the order has that status."""

    id: int
    status: Status


class UpdateOrder(Action):
    """`fields` of the order's own body. Fires updated."""

    id: int
    fields: Fields


class ArchiveOrder(Action):
    id: int


class Option(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One value of a variant: `name` is Color, `label` is Red."""

    name: str
    label: str


class NewVariant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`price` None: the product's."""

    options: Annotated[list[Option], msgspec.Meta(min_length=1)]
    sku: str = ""
    price: Decimal | None = None
    sale_price: Decimal | None = None
    inventory_level: int = 0
    image_url: str = ""
    upc: str = ""


class CreateBrand(Action):
    """Answers `id`. Fires nothing."""

    name: str


class UpdateBrand(Action):
    """Fires nothing."""

    id: int
    name: str


class CreateCategory(Action):
    """Answers `id`. Fires category/created."""

    name: str
    parent_id: int = 0


class UpdateCategory(Action):
    id: int
    name: str


class CreateProduct(Action):
    """Answers `id` and `variant_ids`: the base variant's where `variants` is empty. Fires product/created, and sku/created per variant.

    `fields` are the body's own, e.g. `name`, `price`, `categories`, `brand_id`, `inventory_tracking`.
    """

    fields: Fields
    variants: list[NewVariant] = []
    image: str = ""
    """Address of its thumbnail."""


class UpdateProduct(Action):
    """Fires product/updated, and product/inventory/updated where the level changed; nothing where nothing did."""

    id: int
    fields: Fields


class DeleteProduct(Action):
    id: int


class SetImage(Action):
    """Another thumbnail ("" none). Fires nothing, and date_modified stays."""

    id: int
    image: str


class CreateVariant(Action):
    """Answers `id`. Fires sku/created only; the product's date_modified stays, as with all that happens to its variants."""

    product_id: int
    variant: NewVariant


class UpdateVariant(Action):
    """`fields` of the variant's own body. Fires sku/updated only, and sku/inventory/updated where the level changed."""

    id: int
    fields: Fields


class DeleteVariant(Action):
    """Fires sku/deleted only."""

    id: int


AnyAction = (
    CreateCustomer | UpdateCustomer | DeleteCustomer | CreateAddress | UpdateAddress | DeleteAddress
    | CreateSubscriber | UpdateSubscriber | DeleteSubscriber | DeleteAllSubscribers
    | CreateCart | AddLine | SetQuantity | RemoveLine | SetCartEmail | SetCartCustomer | ApplyCoupon | DeleteCart
    | CreateBrand | UpdateBrand | CreateCategory | UpdateCategory
    | CreateProduct | UpdateProduct | DeleteProduct | SetImage | CreateVariant | UpdateVariant | DeleteVariant
    | Checkout | CreateOrder | SetOrderStatus | UpdateOrder | ArchiveOrder
)  # fmt: skip
