"""Serves until SIGTERM: `python -P -m simulators.engagement --port P [--seed N]`; port 0 is any free one."""

import argparse

from simulators.engagement.server import app
from simulators.engagement.simulator import Simulator
from simulators.process import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulators.engagement")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    serve(app(Simulator(arguments.seed)), arguments.port)


if __name__ == "__main__":
    main()
