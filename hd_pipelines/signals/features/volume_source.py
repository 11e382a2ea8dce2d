"""Whose volume a symbol's is: its own, or for an index its fund's.

Belongs here: the choice, and its label. An index is a number and has no volume; its fund's is a stand-in that is called
one wherever it is used (product facts §13.1, fault 12).
"""

from __future__ import annotations

from hd_pipelines.market.vocabulary import AssetClass
from hd_pipelines.signals.tape import SymbolTape

NO_VOLUME = "no_volume"


def volume_source(tape: SymbolTape) -> SymbolTape | None:
    """The tape whose volume counts; None for an index without a fund."""
    return tape.proxy if tape.asset_class is AssetClass.INDEX else tape


def volume_labels(tape: SymbolTape) -> tuple[str, ...]:
    """What to say of it: nothing if it is the symbol's own."""
    if tape.asset_class is not AssetClass.INDEX:
        return ()
    return (NO_VOLUME,) if tape.proxy is None else (f"volume_of_{tape.proxy.symbol}",)
