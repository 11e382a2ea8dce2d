"""Sends alert messages to their receivers: channels through apprise, rate limits, delivery.

Decisions about what is sent and when are in `alerts`, messages wait in the warehouse's outbox. apprise is imported only
when a channel is opened.
"""
