"""What steps hand to one another: nothing. They meet in lake and warehouse.

Dagster's own storage of values unpickles files from a folder that a run's configuration may name.
"""

from __future__ import annotations

import dagster as dg


class StepValues(dg.ConfigurableIOManager):
    """Keeps no value of any step, and takes nothing from a run's configuration."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Accept a step without a value. Raises `ValueError` for any other, which the next step would not get."""
        if obj is not None:
            raise ValueError(f"{context.get_identifier()} gives a value; steps hand on data through lake and warehouse")

    def load_input(self, _context: dg.InputContext) -> None:
        """Return no value."""
