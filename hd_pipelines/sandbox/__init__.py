"""The vendor on this machine: its S3 bucket over HTTP, filled with a synthetic market or a recording.

Belongs here: everything that stands in for the vendor. Only the command line and tests import it; the platform talks to
it through the same client as to the vendor, and must not be able to tell the difference.

    bucket folder <- generation.generate(...)           seeded synthetic market, any window of sessions
                  <- recording.write_recording(...)      a market recording, defects included
                  <- full_market.generate_full_market()  one session at real size, for benchmarks
    chains.write_chain_archive(...)                     option chains of the synthetic market, as bought history;
                                                        chain_extent.Extent says how much of each
    server.SandboxServer(bucket, market=...) answers ListObjectsV2, HEAD and GET as the vendor does; and the REST service
    of rest_market.SyntheticRest or RecordedRest; faults.FaultScript breaks both
"""

from __future__ import annotations
