"""Trade signals: feature frames, detectors, context engines, the scanner, and the outcome of signals.

`features` builds one frame per symbol and session, `detectors` find setups, `engines` score their context, `scanner`
combines them, and `outcomes` settles signals. Pure functions only: reading and storing is `loading.signals.scan`.
"""
