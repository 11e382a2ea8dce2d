"""Dagster assets, one module per group.

An asset reads its sessions, calls one function of `loading`, and reports. Do not add formulas, SQL or wire formats.
"""

import warnings

import dagster as dg

# `backfill_policy` is marked beta; the warning would be printed once per asset in every process that loads them.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
