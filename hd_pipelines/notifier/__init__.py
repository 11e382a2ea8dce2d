"""Carrying messages out: channels through apprise, rate limits, pictures.

Belongs here: everything that talks to a receiver of alerts. Not here: what is said and when (`alerts`), where messages
wait (`warehouse`). apprise is imported only when a channel is opened.
"""
