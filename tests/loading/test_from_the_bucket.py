"""From the vendor's bucket to bars, counting requests: known objects are not requested again."""

from hd_pipelines.loading.derived.backfill_queue import backfill_queue
from hd_pipelines.providers.massive.flat_files.layout import STOCK_DAY, STOCK_MINUTE
from hd_pipelines.sandbox.faults import Operation
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.installation import SESSIONS, SYMBOLS, day_rows, minute_rows, vendor_object
from tests.support.vendor_bucket import client_of, vendor_bucket

__all__ = ["vendor_bucket"]  # a fixture
ROWS = {STOCK_MINUTE: minute_rows, STOCK_DAY: day_rows}


def put(server, session, **changed):
    for dataset, rows in ROWS.items():
        frame = rows(session, (*SYMBOLS, "NVDA"), **changed)
        server.bucket.put(dataset.key(session), vendor_object(frame, dataset, session))


def download(installation, client) -> int:
    """Bring the landing folder up to date; how many objects were fetched."""
    fetched = 0
    for dataset in ROWS:
        outcome = client.download_many(client.list_objects(dataset, SESSIONS[0], SESSIONS[-1]))
        fetched += outcome.downloaded
        installation.landed_files[dataset] = {file.session: file for file in client.find_landed(dataset, SESSIONS)}
    return fetched


def test_only_what_changed_in_the_bucket_is_fetched_ingested_and_published(installation, vendor_bucket):
    for session in SESSIONS:
        put(vendor_bucket, session)
    client = client_of(vendor_bucket, installation.folder)
    assert download(installation, client) == 20
    assert installation.refresh().published == 30

    gets = vendor_bucket.app.requests_served[Operation.GET]
    before = installation.row_versions()
    assert download(installation, client) == 0
    assert vendor_bucket.app.requests_served[Operation.GET] == gets
    assert installation.refresh().published == 0
    assert installation.row_versions() == before

    put(vendor_bucket, SESSIONS[-1], shift=1.0)
    assert download(installation, client) == 2
    assert installation.refresh().published == 3


def test_a_symbol_that_joins_the_watchlist_costs_no_request(installation, vendor_bucket):
    for session in SESSIONS:
        put(vendor_bucket, session)
    download(installation, client_of(vendor_bucket, installation.folder))
    installation.refresh()
    served = dict(vendor_bucket.app.requests_served)
    with installation.database.begin() as connection:
        add_to_watchlist(connection, ["NVDA"])
    assert backfill_queue(installation.database, installation.lake)["NVDA"].published == len(SESSIONS)
    assert vendor_bucket.app.requests_served == served
    assert sum(served.values()) > 20  # the counter does count
