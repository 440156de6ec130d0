"""An Engagement that behaves, and misbehaves, as the real one: identity, de-duplication, queues and errors of docs/facts/engagement.md.

Run as its own process: `python -P -m simulators.engagement --port P [--seed N]`. It judges `engagement/` and shares no code with it.

profiles    one person: ids, properties with their update stamps, events without duplicates
identity    whose an id is: the merge rules
project     settings, permissions, what an applied command changes
commands    reads a command and says what is wrong with it
queues      the time between accepted and applied
faults      knobs, faults and the rate limit
tracking    the Tracking API
customers   the customers and GDPR API
catalogs    the Catalogs API
control     `/_sim/...`: what a test sets and sees
server      the door: sign-in, limits, faults, counting
"""
