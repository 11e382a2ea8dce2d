"""The market itself: sessions and hours, symbols, bars, option products, and the rules that make data believable.

Plain functions and frozen values: no dagster, SQL, network or clock.
"""
