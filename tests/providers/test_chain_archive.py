"""A folder of archived chains: its layout, its gaps, and files that are refused."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from hd_pipelines.market.option_chains import CHAIN
from hd_pipelines.market.sessions import list_sessions_between
from hd_pipelines.providers.archive.chains import COLUMNS, read_chain, read_chains
from hd_pipelines.providers.archive.files import (
    find_archive_gaps,
    find_stray_files,
    list_archived_days,
    list_chain_files,
    to_folder_name,
)
from hd_pipelines.providers.errors import FileRefusedError
from hd_pipelines.tables.vocabulary import Rule, Severity
from tests.support.rest import CLOSE, SESSION, contract_rows

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the market recordings are not at {RECORDINGS}")


def archived(count=30, underlying="SPY", session=SESSION, **changed):
    """Rows as an archive has them: no more columns than promised."""
    rows = contract_rows(count, underlying).with_columns(session=pl.lit(session))
    return rows.select(list(COLUMNS)).with_columns(**changed)


def write(archive, rows, underlying="SPY", session=SESSION):
    path = archive / "chains" / to_folder_name(underlying) / f"{session}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    return path


def only_file(archive, underlying="SPY", session=SESSION):
    (file,) = list_chain_files(archive, [underlying], [session])
    return file


def refused(archive):
    with pytest.raises(FileRefusedError) as caught:
        read_chain(only_file(archive))
    return caught.value.finding


def test_a_file_becomes_the_chain_of_its_sessions_close(tmp_path):
    write(tmp_path, archived())
    read = read_chain(only_file(tmp_path))
    chain = read.validated.chain
    assert dict(chain.schema) == dict(CHAIN)
    assert chain.select(pl.col("snapshot_at", "kind", "source", "open_interest_as_of").unique()).row(0) == (
        CLOSE,
        "close",
        "chain_archive",
        date(2026, 5, 21),
    )
    assert chain["bid"].to_list() == contract_rows(30)["bid"].to_list()
    assert set(chain["exercise_style"]) == {"american"}
    assert chain["quote_at"].null_count() == 30


def test_a_half_day_is_stamped_with_its_own_close(tmp_path):
    half = date(2025, 11, 28)
    write(tmp_path, archived(session=half, expiration=pl.lit(date(2026, 6, 19))), session=half)
    chain = read_chain(only_file(tmp_path, session=half)).validated.chain
    assert chain["snapshot_at"][0] == datetime(2025, 11, 28, 18, tzinfo=UTC)


def test_a_file_that_knows_its_moment_is_stamped_with_it(tmp_path):
    taken = datetime(2026, 5, 22, 19, 45, 30, 900_000, tzinfo=UTC)
    write(tmp_path, archived(snapshot_at=pl.lit(taken), shares_per_contract=pl.lit(10.0)))
    chain = read_chain(only_file(tmp_path)).validated.chain
    assert chain["snapshot_at"][0] == taken.replace(microsecond=0)
    assert set(chain["shares_per_contract"]) == {10.0}


def test_a_moment_outside_the_session_is_refused(tmp_path):
    write(tmp_path, archived(snapshot_at=pl.lit(datetime(2026, 5, 23, 19, 45, tzinfo=UTC))))
    assert refused(tmp_path).rule is Rule.FOREIGN_DATE


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, -8])
def test_a_half_written_file_is_refused(tmp_path, keep):
    path = write(tmp_path, archived())
    body = path.read_bytes()
    path.write_bytes(body[: int(keep * len(body)) if isinstance(keep, float) else keep])
    finding = refused(tmp_path)
    assert (finding.rule, finding.severity) == (Rule.VALUE_UNREADABLE, Severity.ERROR)
    assert finding.subject == "chains/SPY/2026-05-22.parquet"


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    write(tmp_path, archived()).write_text("ticker,strike\nO:SPY260619C00500000,500\n")
    assert refused(tmp_path).rule is Rule.VALUE_UNREADABLE


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path, column):
    write(tmp_path, archived().drop(column))
    finding = refused(tmp_path)
    assert finding.rule is Rule.COLUMN_MISSING
    assert column in finding.detail


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("bid", pl.lit("1.05")),
        ("open_interest", pl.lit(7.5)),
        ("strike", pl.lit("500")),
        ("expiration", pl.lit("2026-06-19")),
        ("session", pl.lit(20260522)),
        ("snapshot_at", pl.lit("2026-05-22").str.to_datetime()),
        ("volume", pl.lit(2**63, dtype=pl.UInt64)),
    ],
)
def test_a_column_of_another_type_is_refused(tmp_path, column, value):
    write(tmp_path, archived().with_columns(value.alias(column)))
    finding = refused(tmp_path)
    assert finding.rule is Rule.COLUMN_TYPE_WRONG
    assert column in finding.detail or "does not fit" in finding.detail


def test_numbers_of_another_width_are_taken(tmp_path):
    write(tmp_path, archived().with_columns(pl.col("bid", "strike").cast(pl.Float32), pl.col("volume").cast(pl.Int16)))
    chain = read_chain(only_file(tmp_path)).validated.chain
    assert (chain.schema["bid"], chain.schema["volume"]) == (pl.Float64, pl.Int64)


def test_unknown_columns_are_ignored(tmp_path):
    write(tmp_path, archived(snapshot_note=pl.lit("saved by hand")))
    assert read_chain(only_file(tmp_path)).validated.chain.height == 30


def test_rows_of_another_day_or_underlying_are_refused(tmp_path):
    write(tmp_path, archived(session=date(2026, 5, 21)))
    assert refused(tmp_path).rule is Rule.FOREIGN_DATE
    write(tmp_path, archived(underlying="QQQ"))
    assert refused(tmp_path).rule is Rule.CONTRACT_CONTRADICTORY


def test_an_empty_chain_is_refused(tmp_path):
    write(tmp_path, archived().clear())
    assert refused(tmp_path).rule in {Rule.NO_ROWS, Rule.FOREIGN_DATE}


def test_a_bad_file_among_others_is_refused_alone(tmp_path):
    sessions = list_sessions_between(date(2026, 5, 11), SESSION)
    for session in sessions:
        write(tmp_path, archived(session=session), session=session)
    last_row = pl.int_range(pl.len()) == pl.len() - 1
    foreign = pl.when(last_row).then(pl.lit(sessions[3])).otherwise(pl.lit(sessions[2])).alias("session")
    write(tmp_path, archived().with_columns(foreign), session=sessions[2])
    write(tmp_path, archived(session=sessions[4]).clear(), session=sessions[4])
    write(tmp_path, archived(session=sessions[5]).drop("bid"), session=sessions[5])
    write(tmp_path, archived(session=sessions[6], volume=pl.lit(2**63, dtype=pl.UInt64)), session=sessions[6])
    write(tmp_path, archived(session=sessions[7], bid=pl.lit(-1.0)), session=sessions[7])
    files = list_chain_files(tmp_path, ["SPY"], sessions)
    files[8].path.write_bytes(files[8].path.read_bytes()[:-8])
    rules = [one.finding.rule if isinstance(one, FileRefusedError) else None for one in read_chains(files)]
    assert rules == [
        None,
        None,
        Rule.FOREIGN_DATE,
        None,
        Rule.FOREIGN_DATE,
        Rule.COLUMN_MISSING,
        Rule.COLUMN_TYPE_WRONG,
        Rule.PRICE_NOT_POSITIVE,
        Rule.VALUE_UNREADABLE,
        None,
    ]


def test_files_of_other_columns_and_types_are_read_together_as_each_alone(tmp_path):
    sessions = list_sessions_between(date(2026, 5, 18), SESSION)
    taken = datetime(2026, 5, 20, 19, 45, tzinfo=UTC)
    for session, rows in zip(
        sessions,
        [
            archived(session=sessions[0]),
            archived(session=sessions[1]).select(sorted(COLUMNS)),
            archived(session=sessions[2], snapshot_at=pl.lit(taken), bid_size=pl.lit(4, dtype=pl.Int16)),
            archived(session=sessions[3], place=pl.lit("saved by hand")),
            archived(session=sessions[4]).with_columns(pl.col("bid").cast(pl.Float32)),
        ],
        strict=True,
    ):
        write(tmp_path, rows, session=session)
    files = list_chain_files(tmp_path, ["SPY"], sessions)
    for file, together in zip(files, read_chains(files), strict=True):
        alone = read_chain(file)
        assert together.validated.chain.equals(alone.validated.chain)
        assert together.sha256 == alone.sha256


def test_files_are_found_by_symbol_or_ticker_and_window(tmp_path):
    for underlying in ("SPY", "I:SPX", "BRK.B"):
        write(tmp_path, archived(), underlying)
    write(tmp_path, archived(), "SPY", date(2026, 5, 21))
    write(tmp_path, archived(), "SPY", date(2026, 5, 25))
    files = list_chain_files(
        tmp_path, ["I:SPX", "SPY", "BRK.B", "QQQ"], list_sessions_between(SESSION, date(2026, 5, 26))
    )
    assert [(file.underlying, file.session, file.key) for file in files] == [
        ("BRK.B", SESSION, "chains/BRK.B/2026-05-22.parquet"),
        ("I:SPX", SESSION, "chains/SPX/2026-05-22.parquet"),
        ("SPY", SESSION, "chains/SPY/2026-05-22.parquet"),
    ]


def test_stray_files_of_an_archive_are_found_and_the_others_are_read(tmp_path):
    write(tmp_path, archived(), "SPY")
    folder = tmp_path / "chains" / "SPY"
    for name in ("2026-02-30.parquet", "2026-05-22 (copy).parquet", "2026-05-21.parquet.tmp", "._2026-05-22.parquet"):
        (folder / name).write_bytes(b"")
    assert list_archived_days(tmp_path) == {"SPY": [SESSION]}
    assert [file.session for file in list_chain_files(tmp_path, ["SPY"], [SESSION])] == [SESSION]
    (found,) = find_stray_files(tmp_path, ["SPY", "QQQ"])
    assert (found.rule, found.subject, found.session, found.rows) == (Rule.OBJECT_STRAY, "SPY", None, 2)
    assert "2026-02-30.parquet" in found.detail


@needs_recordings
def test_gaps_and_holiday_files_of_the_recording_are_reported():
    days = list_archived_days(RECORDINGS / "spx-2019q2")
    findings = find_archive_gaps(days)
    caught = {(found.rule, found.session) for found in findings}
    assert set(days) == {"SPX"}
    assert {day for rule, day in caught if rule is Rule.OBJECT_ON_CLOSED_DAY} >= {date(2019, 5, 27)}
    assert {day for rule, day in caught if rule is Rule.SESSION_MISSING} == {
        date(2019, 5, 10),
        date(2019, 5, 17),
        date(2019, 6, 14),
        date(2019, 6, 17),
        date(2019, 6, 18),
    }
    assert {found.severity for found in findings if found.rule is Rule.SESSION_MISSING} == {Severity.ERROR}


@needs_recordings
def test_a_recorded_chain_reads_as_the_vendor_would_give_it():
    session = date(2019, 5, 1)
    (file,) = list_chain_files(RECORDINGS / "spx-2019q2", ["SPX"], [session])
    validated = read_chain(file).validated
    raw = pl.read_parquet(file.path)
    assert validated.chain.height == raw.height - validated.rows_set_aside
    assert validated.rows_set_aside == 0
    assert set(validated.chain["root"]) == {"SPX", "SPXW"}
    assert validated.chain["vendor_iv"].null_count() == raw.filter((pl.col("vendor_iv").fill_null(0)) <= 0).height
    assert validated.chain["open_interest"].sum() == raw["open_interest"].sum()
    assert set(validated.chain["open_interest_as_of"]) == {date(2019, 4, 30)}


@needs_recordings
def test_the_file_of_a_holiday_is_never_read():
    assert list_chain_files(RECORDINGS / "spx-2019q2", ["SPX"], [date(2019, 5, 27)]) == []
