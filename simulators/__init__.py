"""BigCommerce and Engagement as they behave, and misbehave: real HTTP servers for the demo, the tests and the bench.

A simulator shares no code with the client that it judges. Both are started by `simulators.process.start`.
"""
