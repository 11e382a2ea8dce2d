"""Software-defined assets, one module per group. An asset reads a window, calls one function, writes, and tells.

Must not be found here: formulas, SQL, wire formats.
"""

import warnings

import dagster as dg

# `backfill_policy` is marked beta; the warning would be printed once per asset in every process that loads them.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
