"""What every event says of the products in a cart or an order."""

from collections.abc import Sequence
from typing import Any

import orjson

from bigcommerce.carts import CartLine
from bigcommerce.orders import OrderLine
from engagement.limits import VALUE_BYTES_MAX
from streams.resolve.rules.change import Store


def products(lines: Sequence[CartLine | OrderLine], store: Store) -> dict[str, Any]:
    """`product_list`, `product_ids`, `variant_ids` (of lines that are products) and `total_quantity` (of all).

    A list of so many lines that Engagement would refuse it, and with it the event, is left out.
    """
    listed = [line for line in lines if line.product_id]
    found: dict[str, Any] = {
        "product_list": [
            {
                "product_id": store.id(line.product_id),
                "variant_id": store.id(line.variant_id),
                "sku": line.sku or "",
                "quantity": line.quantity,
            }
            for line in listed
        ],
        "product_ids": sorted({store.id(line.product_id) for line in listed}),
        "variant_ids": sorted({store.id(line.variant_id) for line in listed} - {""}),
        "total_quantity": sum(line.quantity for line in lines),
    }
    return {name: value for name, value in found.items() if len(orjson.dumps(value)) < VALUE_BYTES_MAX}
