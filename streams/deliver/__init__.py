"""deliver: from commands to Engagement.

reads   engagement.commands .catalog
writes  Engagement · dead-letters
keeps   nothing: the last number of each lane is in memory, filled again from the topic's tail on every assignment; how far
        lanes with an anonymization are ahead of the committed offset stands in that offset's metadata
waits   for Engagement and its rate, store by store: its lag means that a project's API holds it back
fails   what Engagement refuses becomes a dead letter; a refused anonymization holds its lane; lost access makes a store's
        commands and items wait; the unknown ends the process, unacknowledged
"""
