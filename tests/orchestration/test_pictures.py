"""Pictures on materializations: on the newest session only, and drawn again only if they would show something else."""

from datetime import date

import dagster as dg
import pytest

from hd_pipelines.assets import pictures
from hd_pipelines.assets.pictures import DRAWN_FROM, Drawing, show_pictures
from hd_pipelines.assets.session_asset import session_asset
from hd_pipelines.charts.figure import Picture
from hd_pipelines.partitions import build_range_tags, list_sessions

FIRST, LAST = date(2026, 5, 20), date(2026, 5, 22)


class Shown:
    """An asset with one picture of `inputs`; counts how often it is drawn."""

    def __init__(self):
        self.inputs, self.drawn, self.instance = [1, 2], 0, dg.DagsterInstance.ephemeral()

        @session_asset(group="lake", kinds={"svg"}, key=dg.AssetKey("shown"))
        def shown(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            """One picture."""
            show_pictures(context, list_sessions(context), Drawing(list(self.inputs), self.draw))
            return dg.MaterializeResult(metadata={"note": dg.MetadataValue.md("no picture")})

        self.job = dg.Definitions(assets=[shown]).resolve_implicit_global_asset_job_def()

    def draw(self):
        self.drawn += 1
        return {"counts": Picture("Counts", f"of {self.inputs}", "<svg/>")}

    def run(self, first=FIRST, last=LAST):
        """Return the metadata by session."""
        done = self.job.execute_in_process(instance=self.instance, tags=build_range_tags(first, last))
        return {
            found.partition: found.metadata
            for event in done.get_asset_materialization_events()
            for found in (event.materialization,)
        }


@pytest.fixture
def shown():
    made = Shown()
    with made.instance:
        yield made


def test_only_the_newest_session_has_pictures(shown):
    metadata = shown.run()
    assert [day for day, of_day in metadata.items() if "counts" in of_day] == [str(LAST)]
    assert metadata[str(LAST)]["counts"].value.startswith("![Counts. of (1, 2)](data:image/svg+xml;base64,")
    assert len(metadata) == 3


def test_a_run_that_shows_the_same_takes_the_pictures_over(shown):
    first, second = shown.run(), shown.run()
    assert shown.drawn == 1
    assert second == first


def test_other_inputs_are_drawn_again(shown):
    first = shown.run()[str(LAST)]
    shown.inputs.append(3)
    second = shown.run()[str(LAST)]
    assert shown.drawn == 2
    assert second["counts"] != first["counts"]
    assert second[DRAWN_FROM] != first[DRAWN_FROM]


def test_other_code_draws_again(shown, monkeypatch):
    shown.run()
    monkeypatch.setattr(pictures, "_digest_code", lambda: "another")
    shown.run()
    assert shown.drawn == 2


def test_a_run_after_one_that_showed_nothing_draws(shown):
    shown.run()
    shown.instance.wipe_assets([dg.AssetKey("shown")])
    assert "counts" in shown.run()[str(LAST)]
    assert shown.drawn == 2
