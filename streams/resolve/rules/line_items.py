"""What every event says of the products in a cart or an order."""

from collections.abc import Sequence
from typing import Any

from bigcommerce.carts import CartLine
from bigcommerce.orders import OrderLine
from streams.resolve.rules.change import Store


def products(lines: Sequence[CartLine | OrderLine], store: Store) -> dict[str, Any]:
    """`product_list`, `product_ids`, `variant_ids` (of lines that are products) and `total_quantity` (of all)."""
    listed = [line for line in lines if line.product_id]
    return {
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
