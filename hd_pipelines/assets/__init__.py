"""Dagster assets, one module per group.

An asset reads its sessions, calls one function of `loading`, and reports. Formulas, SQL and wire formats stay below.
"""

import warnings

import dagster as dg

# `backfill_policy` is marked beta; the warning would be printed once per asset in every process that loads them.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
