"""Signals: what the market looks like at an instant, whether a detector fires, how good that is, and how it ended.

Belongs here: pure functions over bars and context. `features` makes one frame per symbol and session, `detectors` say
when, `engines` how much the context helps, `scanner` puts them together, `outcomes` settles. Reading and storing is
`loading.signals`; nothing here imports a database, a network client or Dagster.
"""
