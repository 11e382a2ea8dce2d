"""Decides what becomes an alert, when it is sent and in which words: pure functions over frozen values.

Alerts are stored by `warehouse`, sent by `notifier` and raised by `sensors`.
"""
