"""Imitates the vendor on this machine: its S3 bucket and REST service, with a synthetic market or a recording.

Only the command line and tests import it. The platform talks to it through the same clients as to the vendor and must
not be able to notice the difference.

    bucket folder <- generation.generate(...)                    seeded synthetic market, any window of sessions
                  <- recording.write_recording(...)              a market recording, defects included
                  <- market.full_market.generate_full_market()   one session at real size, for benchmarks
    market.chains.write_chain_archive(...)   option chains of the synthetic market, as bought history;
                                             market.chain_extent.Extent sets how much of each is shown
    server.SandboxServer(bucket, market=...) answers ListObjectsV2, HEAD and GET as the vendor does, and the REST requests
                                             for rest.market.SyntheticRest or RecordedRest
    faults.FaultScript                       makes both fail in chosen ways
"""

from __future__ import annotations
