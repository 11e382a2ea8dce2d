"""Dealer gamma: profile over spot, levels, sums by strike, positioning."""
