"""From an archive of chains to the lake: what is loaded, refused and reported, and what a second run does."""

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.loading.inputs import chain_archive as loading_chains
from hd_pipelines.loading.inputs.chain_archive import refresh_chain_archive
from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.providers.archive.chains import COLUMNS
from hd_pipelines.tables.vocabulary import PriceSource, Rule, SnapshotKind
from hd_pipelines.warehouse.records.chains import read_recorded_chains
from tests.support.installation import SESSIONS
from tests.support.rest import contract_rows

RECORDING = Path(__file__).parents[2].parent / "shared" / "recordings" / "spx-2019q2"
FIRST, LAST = SESSIONS[0], SESSIONS[-1]


@pytest.fixture
def archive(tmp_path):
    """Chains of SPY and QQQ of all the installation's sessions."""
    for session in SESSIONS:
        for underlying in ("SPY", "QQQ"):
            write(tmp_path / "archive", session, underlying)
    return tmp_path / "archive"


def write(archive, session, underlying="SPY", count=60, **changed):
    path = archive / "chains" / underlying / f"{session}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = contract_rows(count, underlying).with_columns(session=pl.lit(session))
    rows.select(list(COLUMNS)).with_columns(**changed).write_parquet(path)
    return path


def load(installation, archive, sessions=SESSIONS, underlyings=("SPY", "QQQ")):
    return refresh_chain_archive(
        installation.database, installation.lake, archive, underlyings=underlyings, sessions=sessions
    )


def records(installation):
    with installation.database.connect() as connection:
        return read_recorded_chains(connection, date(2019, 1, 2), date(2027, 1, 4))


def open_rules(installation):
    return sorted((found.rule, str(found.session), found.subject) for found in installation.findings())


def test_an_archive_is_loaded_recorded_and_measured(installation, archive):
    report = load(installation, archive)
    assert (report.loaded, report.contracts, report.refused, report.findings) == (20, 1200, 0, ())
    assert installation.lake.chains.read(None, FIRST, LAST).height == 1200
    held = records(installation)
    assert len(held) == 20
    assert {(one.kind, one.source, one.contracts, one.with_quote) for one in held} == {
        (SnapshotKind.CLOSE, PriceSource.CHAIN_ARCHIVE, 60, 60)
    }
    assert [one.completeness for one in held if one.underlying == "SPY"] == [None] * 5 + [1.0] * 5
    assert held[0].landed_url == f"chains/QQQ/{FIRST}.parquet"


def test_a_second_run_reads_nothing_again(installation, archive):
    load(installation, archive)
    files = sorted((installation.folder.parent / "lake").rglob("*.parquet"))
    before = [path.stat().st_mtime_ns for path in files]
    report = load(installation, archive)
    assert (report.loaded, report.already_known) == (0, 20)
    assert [path.stat().st_mtime_ns for path in files] == before


def test_a_changed_file_replaces_its_chain_only(installation, archive):
    load(installation, archive)
    write(archive, LAST, bid=pl.lit(0.5))
    report = load(installation, archive)
    assert (report.loaded, report.already_known) == (1, 19)
    assert set(installation.lake.chains.read(["SPY"], LAST, LAST)["bid"]) == {0.5}
    assert len(records(installation)) == 20


def test_a_chain_that_was_lost_from_the_lake_is_loaded_again(installation, archive):
    load(installation, archive)
    shutil.rmtree(installation.folder.parent / "lake" / "option_chains" / f"session={LAST}")
    assert load(installation, archive).loaded == 2


def test_chains_read_by_older_code_are_read_again(installation, archive, monkeypatch):
    load(installation, archive)
    monkeypatch.setattr(loading_chains, "READ_VERSION", loading_chains.READ_VERSION + 1)
    assert load(installation, archive).loaded == 20


def test_a_half_written_file_is_refused_and_the_others_go_on(installation, archive):
    load(installation, archive)
    before = installation.lake.chains.read(["SPY"], LAST, LAST)
    path = write(archive, LAST, bid=pl.lit(0.5))
    path.write_bytes(path.read_bytes()[:-20])
    write(archive, SESSIONS[-2], bid=pl.lit(0.5))
    report = load(installation, archive)
    assert (report.loaded, report.refused) == (1, 1)
    assert open_rules(installation) == [(Rule.VALUE_UNREADABLE, str(LAST), f"chains/SPY/{LAST}.parquet")]
    assert installation.lake.chains.read(["SPY"], LAST, LAST).equals(before)

    write(archive, LAST, bid=pl.lit(0.7))
    assert load(installation, archive).refused == 0
    assert installation.findings() == []


def test_a_file_that_stays_refused_is_one_finding(installation, archive):
    write(archive, LAST).write_bytes(b"PAR1")
    for _ in range(2):
        assert load(installation, archive).refused == 1
    assert len(open_rules(installation)) == 1


def test_bad_rows_are_set_aside_and_reported_with_the_chain(installation, archive):
    first = pl.int_range(pl.len()) == 0
    write(archive, LAST, bid=pl.when(first).then(-1.0).otherwise(pl.col("bid")))
    report = load(installation, archive)
    assert (report.loaded, report.rows_set_aside) == (20, 1)
    assert open_rules(installation) == [(Rule.PRICE_NOT_POSITIVE, str(LAST), f"chains/SPY/{LAST}.parquet")]


def test_a_chain_missing_half_of_its_strikes_is_loaded_and_reported(installation, archive):
    write(archive, LAST, count=28)
    load(installation, archive)
    assert open_rules(installation) == [(Rule.CHAIN_INCOMPLETE, str(LAST), "SPY")]
    (share,) = [one.completeness for one in records(installation) if (one.underlying, one.session) == ("SPY", LAST)]
    assert share == pytest.approx(28 / 60)


def test_completeness_looks_at_sessions_before_and_never_ahead(installation, archive):
    load(installation, archive)
    write(archive, SESSIONS[2], count=28)
    load(installation, archive)
    shares = {one.session: one.completeness for one in records(installation) if one.underlying == "SPY"}
    assert shares[SESSIONS[2]] is None
    write(archive, SESSIONS[6], count=30)
    write(archive, SESSIONS[8], count=40)
    load(installation, archive)
    shares = {one.session: one.completeness for one in records(installation) if one.underlying == "SPY"}
    assert (shares[SESSIONS[6]], shares[SESSIONS[8]]) == (0.5, pytest.approx(40 / 60))


def test_missing_days_and_holiday_files_are_findings_and_a_found_day_resolves_its_own(installation, archive):
    lost = archive / "chains" / "SPY" / f"{SESSIONS[4]}.parquet"
    kept = lost.read_bytes()
    lost.unlink()
    write(archive, date(2026, 5, 17))
    sunday = list_sessions_between(date(2026, 5, 4), LAST)
    report = load(installation, archive, sunday)
    assert report.loaded == 19
    assert open_rules(installation) == [
        (Rule.OBJECT_ON_CLOSED_DAY, "2026-05-17", "SPY"),
        (Rule.SESSION_MISSING, str(SESSIONS[4]), "SPY"),
    ]
    lost.write_bytes(kept)
    (archive / "chains" / "SPY" / "2026-05-17.parquet").unlink()
    assert load(installation, archive, sunday).loaded == 1


def test_a_crash_before_the_record_is_healed(installation, archive, monkeypatch):
    def killed(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(loading_chains, "record_loaded_chains", killed)
        with pytest.raises(KeyboardInterrupt):
            load(installation, archive)
    assert records(installation) == []
    report = load(installation, archive)
    assert (report.loaded, len(records(installation))) == (20, 20)


def test_the_size_of_a_batch_changes_nothing(make_installation, archive, monkeypatch):
    whole, single = make_installation(), make_installation()
    write(archive, SESSIONS[2], bid=pl.lit(-1.0))
    write(archive, SESSIONS[3]).write_bytes(b"PAR1")
    reports = [load(whole, archive)]
    monkeypatch.setattr(loading_chains, "BATCH_BYTES", 1)
    reports.append(load(single, archive))
    assert reports[0] == reports[1]
    assert (reports[0].loaded, reports[0].refused) == (18, 2)
    assert records(whole) == records(single)
    assert whole.lake.chains.read(None, FIRST, LAST).equals(single.lake.chains.read(None, FIRST, LAST))


def test_only_wanted_underlyings_and_sessions_are_loaded(installation, archive):
    report = load(installation, archive, SESSIONS[-3:], ["SPY"])
    assert report.loaded == 3
    assert {(one.underlying, one.session) for one in installation.lake.chains.list_snapshots(FIRST, LAST)} == {
        ("SPY", session) for session in SESSIONS[-3:]
    }


def test_adjusted_contracts_are_reported_once_for_the_newest_chain(installation, tmp_path):
    def adjusted(session):
        rows = contract_rows(10, "AMD").with_columns(
            pl.col("ticker").str.replace("AMD", "AMD1"), root=pl.lit("AMD1"), session=pl.lit(session)
        )
        standard = contract_rows(60, "AMD").with_columns(session=pl.lit(session))
        path = tmp_path / "archive" / "chains" / "AMD" / f"{session}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.concat([standard, rows]).select(list(COLUMNS)).write_parquet(path)

    for session in SESSIONS[:-1]:
        adjusted(session)
    load(installation, tmp_path / "archive", underlyings=["AMD"])
    assert open_rules(installation) == [(Rule.CONTRACT_ADJUSTED, str(SESSIONS[-2]), "AMD")]
    adjusted(LAST)
    load(installation, tmp_path / "archive", underlyings=["AMD"])
    assert open_rules(installation) == [(Rule.CONTRACT_ADJUSTED, str(LAST), "AMD")]
    assert (
        installation.lake.chains.read(["AMD"], LAST, LAST).filter(root="AMD1")["shares_per_contract"].null_count() == 10
    )


def test_progress_is_reported(installation, archive):
    steps = []
    refresh_chain_archive(
        installation.database,
        installation.lake,
        archive,
        underlyings=["QQQ", "SPY"],
        sessions=SESSIONS,
        on_progress=lambda *step: steps.append(step),
    )
    assert steps == [(10, 20), (20, 20)]


@pytest.mark.skipif(not RECORDING.is_dir(), reason=f"the market recordings are not at {RECORDING}")
def test_the_recorded_quarter(installation):
    sessions = list_sessions_between(date(2019, 4, 25), date(2019, 6, 28))
    report = load(installation, RECORDING, sessions, ["SPX"])
    assert (report.loaded, report.refused, report.rows_set_aside) == (41, 0, 0)
    days = {rule: {day for rule_found, day, _ in open_rules(installation) if rule_found == rule} for rule in Rule}
    assert days[Rule.SESSION_MISSING] == {"2019-05-10", "2019-05-17", "2019-06-14", "2019-06-17", "2019-06-18"}
    assert days[Rule.OBJECT_ON_CLOSED_DAY] == {"2019-05-27"}
    assert "2019-05-27" not in {str(one.session) for one in records(installation)}
    rows = installation.lake.chains.read(["SPX"], sessions[0], sessions[-1], SnapshotKind.CLOSE)
    holiday = pl.read_parquet(RECORDING / "chains" / "SPX" / "2019-05-27.parquet").height
    every = pl.scan_parquet(RECORDING / "chains" / "SPX" / "*.parquet").select(pl.len()).collect().item()
    assert rows.height == report.contracts == every - holiday
    assert rows.group_by("snapshot_at").agg(pl.col("open_interest_as_of").n_unique())["open_interest_as_of"].max() == 1
