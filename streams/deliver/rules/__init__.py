"""Which commands may go now. Nothing here does I/O, reads a clock or draws a number: time is given.

pending.py       a command on its way
lanes.py         order: what of each lane may go, with an anonymization as a border
lane_offsets.py  how far lanes are that are ahead of their partition, as text for a commit
history.py       what a backfill caused: never below an anonymization, while live commands leave room
queue.py         room: what of one store goes together in a call, and when after a failure
consents.py      whether Engagement has a consent already
"""
