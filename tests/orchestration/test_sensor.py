"""The flat-file sensor requests a batch until it is loaded, refused or has failed too often."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.definitions import build_definitions
from hd_pipelines.market.sessions import find_last_completed_session, list_last_sessions
from hd_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG
from hd_pipelines.providers.errors import ObjectPlace
from hd_pipelines.providers.massive.flat_files.client import RemoteObject
from hd_pipelines.providers.massive.flat_files.layout import DATASETS, STOCK_DAY, STOCK_MINUTE
from hd_pipelines.providers.source import SandboxNotRunningError
from hd_pipelines.resources import Clock, FlatFilesResource, WarehouseResource
from hd_pipelines.sensors import flat_files as sensor
from hd_pipelines.sensors.flat_files import BATCH_TAG, MOST_ATTEMPTS, EarlierRun, decide, find_unloaded, name_batch
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.warehouse.records.findings import record_findings

NOW = datetime(2026, 5, 23, 15, tzinfo=UTC)
WEEK = list_last_sessions(date(2026, 5, 22), 5)
S, F, C = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED
Q, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED


def remote(session, etag="v1", dataset=STOCK_DAY):
    return RemoteObject(dataset.key(session), dataset, session, etag, 10, NOW)


def runs(statuses, ended_at=NOW):
    return [EarlierRun(status, ended_at) for status in statuses]


@pytest.mark.parametrize(
    ("earlier", "answer"),
    [
        ([], 1),
        ([F], 2),
        ([C], 2),
        ([F, C], 3),
        ([F, F, F], "failed 3 times"),
        ([F, F, F, F], "failed 4 times"),
        ([Q], "is under way"),
        ([STARTED, F], "is under way"),
        ([dg.DagsterRunStatus.CANCELING], "is under way"),
        ([dg.DagsterRunStatus.NOT_STARTED], "is under way"),
        ([S], "was read and refused"),
        ([F, S], "was read and refused"),
        ([STARTED, S], "is under way"),
    ],
)
def test_a_batch_is_started_unless_it_runs_succeeded_or_failed_too_often(earlier, answer):
    decided = decide("b", WEEK, runs(earlier), is_waiting=False, now=NOW)
    if isinstance(answer, int):
        assert decided.run_key == f"flat_files:b__attempt{answer}"
        assert decided.tags == {RANGE_START_TAG: "2026-05-18", RANGE_END_TAG: "2026-05-22", BATCH_TAG: "b"}
    else:
        assert answer in decided.skip_message


@pytest.mark.parametrize(
    ("earlier", "minutes", "is_asked"),
    [
        ([S], 4, False),
        ([S], 6, True),
        ([S, S], 9, False),
        ([S, S], 11, True),
        ([S] * 5, 59, False),
        ([S] * 5, 61, True),
        ([S] * 500, 61, True),
        ([F, S], 11, True),
        ([S, STARTED], 600, False),
        ([S, F, F, F], 600, False),
    ],
)
def test_what_was_not_available_is_asked_for_again_less_and_less_often(earlier, minutes, is_asked):
    decided = decide("b", WEEK, runs(earlier), is_waiting=True, now=NOW + timedelta(minutes=minutes))
    assert isinstance(decided, dg.RunRequest) == is_asked


@given(st.lists(st.sampled_from(list(dg.DagsterRunStatus)), max_size=6))
def test_no_batch_gets_more_than_three_runs_or_two_at_once(earlier):
    decided = decide("b", WEEK, runs(earlier), is_waiting=False, now=NOW)
    if isinstance(decided, dg.RunRequest):
        assert len(earlier) < MOST_ATTEMPTS
        assert set(earlier) <= {F, C}


def test_an_object_loaded_in_this_version_is_not_new():
    listed = [remote(session) for session in WEEK]
    loaded = {(STOCK_DAY.name, session): "v1" for session in WEEK}
    assert find_unloaded(listed, loaded, WEEK) == []
    assert find_unloaded(listed, {}, WEEK) == listed
    assert find_unloaded(listed, loaded | {(STOCK_DAY.name, WEEK[2]): "v0"}, WEEK) == [listed[2]]
    assert find_unloaded(listed, {(STOCK_MINUTE.name, session): "v1" for session in WEEK}, WEEK) == listed


def test_stray_objects_and_closed_days_are_not_new():
    stray = RemoteObject("us_stocks_sip/day_aggs_v1/README", STOCK_DAY, None, "v1", 10, NOW)
    assert find_unloaded([stray, remote(date(2026, 5, 25)), remote(date(2026, 5, 11))], {}, WEEK) == []


@given(st.permutations([remote(session, dataset=dataset) for session in WEEK[:2] for dataset in DATASETS[:2]]))
def test_the_name_of_a_batch_does_not_depend_on_the_order_of_listing(listed):
    named = name_batch(find_unloaded(listed, {}, WEEK))
    assert named == name_batch(find_unloaded(list(reversed(listed)), {}, WEEK))
    assert len(named) == 16
    int(named, 16)


def test_another_version_or_object_is_another_batch():
    one = [remote(WEEK[0]), remote(WEEK[1])]
    others = [one[:1], [one[0], replace(one[1], etag="v2")], [*one, remote(WEEK[2])]]
    assert len({name_batch(batch) for batch in [one, *others]}) == 4


class Bucket(FlatFilesResource):
    """A bucket with the objects of the test; None stands for a sandbox that is not running."""

    @property
    def client(self):
        if LISTED is None:
            raise SandboxNotRunningError("start `hd sandbox`")
        return SimpleNamespace(
            list_objects=lambda dataset, first, last: [
                one for one in LISTED if one.dataset is dataset and first <= one.session <= last
            ]
        )


LISTED: list[RemoteObject] | None = []


@pytest.fixture
def evaluate(monkeypatch, installation):
    """Evaluate the real sensor with a fake bucket, a real warehouse and an ephemeral instance."""

    class GivenWarehouse(WarehouseResource):
        @property
        def database(self):
            return installation.database

    repository = build_definitions().get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(listed, now=None):
            class At(Clock):
                def now(self):
                    return now or datetime.now(UTC)

            monkeypatch.setattr(f"{__name__}.LISTED", listed)
            resources = {"clock": At(), "flat_file_bucket": Bucket(), "warehouse": GivenWarehouse()}
            with dg.build_sensor_context(instance, resources=resources, repository_def=repository) as context:
                return sensor.new_flat_files(context)

        tick.instance = instance
        yield tick


def test_a_new_object_is_requested_until_a_run_has_loaded_it(evaluate):
    newest = find_last_completed_session(datetime.now(UTC))
    listed = [remote(newest), remote(list_last_sessions(newest, 3)[0])]
    requested = evaluate(listed)
    assert (requested.tags[RANGE_START_TAG], requested.tags[RANGE_END_TAG]) == (str(listed[1].session), str(newest))
    assert requested.run_key.endswith("__attempt1")
    assert evaluate(listed).run_key == requested.run_key  # a lost tick loses nothing and requests nothing twice

    add_run(evaluate.instance, requested, F)
    assert evaluate(listed).run_key == requested.run_key.replace("attempt1", "attempt2")
    add_run(evaluate.instance, requested, STARTED)
    assert "under way" in evaluate(listed).skip_message


def test_a_refused_object_is_not_requested_again(evaluate):
    listed = [remote(find_last_completed_session(datetime.now(UTC)))]
    add_run(evaluate.instance, evaluate(listed), S)
    assert "read and refused" in evaluate(listed).skip_message
    assert evaluate([replace(listed[0], etag="v2")]).run_key.endswith("__attempt1")


def test_an_object_behind_a_503_is_requested_again_when_the_vendor_may_have_recovered(evaluate, installation):
    listed = [remote(find_last_completed_session(datetime.now(UTC)))]
    add_run(evaluate.instance, evaluate(listed), S)
    place = ObjectPlace(STOCK_DAY.name, listed[0].session, listed[0].key)
    with installation.database.begin() as connection:
        record_findings(connection, [place.error(Rule.OBJECT_UNAVAILABLE, "503 SlowDown.", "Wait.")])
    assert "asked for again at" in evaluate(listed).skip_message
    later = datetime.now(UTC) + timedelta(minutes=6)
    assert evaluate(listed, now=later).run_key.endswith("__attempt2")


def test_a_loaded_object_and_an_empty_bucket_request_nothing(evaluate, installation):
    from hd_pipelines.warehouse.records.files import IngestedFile, record_load

    one = remote(find_last_completed_session(datetime.now(UTC)))
    with installation.database.begin() as connection:
        record_load(connection, IngestedFile(STOCK_DAY.name, one.session, "v1", 10, "a" * 64, 3, 0, one.key, NOW))
    assert evaluate([one]).skip_message == "nothing new among 1 objects"
    assert evaluate([]).skip_message == "nothing new among 0 objects"


def test_a_stopped_sandbox_skips_the_tick(evaluate):
    assert "hd sandbox" in evaluate(None).skip_message


def add_run(instance, request, status):
    job = build_definitions().resolve_job_def("main")
    instance.create_run_for_job(job, tags=request.tags, status=status)
