"""engagement: all that we know of Bloomreach Engagement.

commands.py  the bodies of single calls, as final bytes
catalogs.py  the catalogs that we keep, with their declared fields
ids.py       ids as Engagement gets them
client.py    the calls that deliver makes
answers.py   what an answer means, per command
limits.py    how much and how often
access.py    whether a project's key may do what we need
"""
