"""Definition of `treasury_yields`."""

from hd_pipelines.tables.model import Bounds, Check, Column, Table, Type
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT

TREASURY_YIELDS = Table(
    name="treasury_yields",
    about="Yield curve for discounting options where put-call parity gives no rate.",
    grain="One row per date and tenor.",
    written_by="`warehouse.publish.derived_rows.publish_rows`.",
    key=("date", "years"),
    columns=(
        Column("date", Type.DATE, "Date of the curve.", source="US Treasury"),
        Column("years", Type.NUMBER, "Tenor.", "years", source="US Treasury"),
        # A percentage here would be discounted with; the bounds refuse one.
        Column(
            "rate",
            Type.NUMBER,
            "Continuously compounded yield: 0.0525 is 5.25 %.",
            "per year",
            source="US Treasury par yields, converted",
            bounds=Bounds(-0.05, 0.5),
        ),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(Check("years", "years > 0 AND years <= 100"),),
)
