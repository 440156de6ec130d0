"""`demo`: everything on this machine, two shops' lives at speed, and at the end each shop compared with Engagement.

shop_life.py  what shoppers and the merchant do
trouble.py    what goes wrong meanwhile; outage.py: one store's own trouble
deployment.py Kafka, both simulators and all parts as real processes
lapse.py      at the end, at rest: subscribers who lapsed; erased.py: people who ask for it; lost.py: what no webhook tells of
compare/      what the shop holds against what Engagement holds
measure.py    what stands on Kafka: latency, commands never accepted, how long things went unread
run.py        one run, from start to summary.py, what it ends with
"""

from ops.demo.run import main

__all__ = ["main"]
