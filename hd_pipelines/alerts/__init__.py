"""What deserves a person's attention, when it is told and in which words.

Belongs here: the life of an alert, fingerprints, messages, redaction; pure functions over frozen values. Not here: who
stores alerts (`warehouse`), who carries messages out (`notifier`), who notices (`sensors`).
"""
