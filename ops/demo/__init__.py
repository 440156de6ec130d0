"""`demo`: everything on this machine, a shop's life at speed, and at the end the shop compared with Engagement.

shop_life.py  what shoppers and the merchant do
trouble.py    what goes wrong meanwhile
deployment.py Kafka, both simulators and all parts as real processes
compare/      what the shop holds against what Engagement holds
measure.py    what stands on Kafka: latency, commands never accepted, how long things went unread
run.py        one run, from start to summary
"""

from ops.demo.run import main

__all__ = ["main"]
