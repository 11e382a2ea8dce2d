"""Two dbt builds at once wait for one another: both would rename the same tables."""

import time
from concurrent.futures import ThreadPoolExecutor

from hd_pipelines.assets import marts


def test_builds_wait_for_one_another(installation, monkeypatch):
    under_way, most = [], []

    def build(*_given):
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.2)
        under_way.pop()
        yield from ()

    class Warehouse:
        database = installation.database

    monkeypatch.setattr(marts, "_build", build)
    run = marts.dbt_models.op.compute_fn.decorated_fn
    with ThreadPoolExecutor(3) as runs:
        list(runs.map(lambda _: list(run(None, None, None, Warehouse())), range(3)))
    assert most == [1, 1, 1]
