"""`python -m simulators.bigcommerce`: see the package's docstring."""

import argparse

from simulators.bigcommerce.app import BigCommerce
from simulators.bigcommerce.shop import Store
from simulators.process import serve

parser = argparse.ArgumentParser(prog="simulators.bigcommerce")
parser.add_argument("--port", type=int, default=0, help="0: a free one")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--stores", type=int, default=1, help="abc123, abc124, ...")
parser.add_argument("--quota", type=int, default=450, help="REST calls in 30 s, per store")
args = parser.parse_args()

world = BigCommerce(args.seed)
for number in range(args.stores):
    name = f"abc{123 + number}"
    world.add_store(Store(hash=name, store_id=1001 + number, access_token=f"token-{name}", quota=args.quota))
serve(world.app(), args.port)
