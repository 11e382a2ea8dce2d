"""The market itself: sessions and hours, symbols, bars and what makes a bar believable.

Plain functions and frozen values. Must not be found here: dagster, SQL, network, clocks.
"""
