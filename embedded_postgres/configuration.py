"""The settings of the embedded server: the text of `hd.conf`, each with its reason.

Everything else stays PostgreSQL's default; durability (fsync, full_page_writes, data checksums, synchronous_commit) must
never be turned down.
"""

from __future__ import annotations

import os
from pathlib import Path

_MB = 1024 * 1024
_SHM = Path("/dev/shm")  # noqa: S108 - where PostgreSQL puts shared memory, not a temporary file


def read_memory_mb() -> int:
    """Physical memory of this machine, MB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB


def read_shared_memory_mb() -> int:
    """Room in /dev/shm, MB; 0 if there is none. Containers often give 64."""
    if not _SHM.is_dir():
        return 0
    room = os.statvfs(_SHM)
    return room.f_frsize * room.f_blocks // _MB


def build_server_configuration(*, port: int, socket_dir: Path, memory_mb: int, shared_memory_mb: int) -> str:
    """The text of `hd.conf` for a machine with this memory (MB)."""
    shared_buffers = min(1024, max(128, memory_mb // 8))
    dynamic = "posix" if shared_memory_mb >= 512 else "mmap"
    return f"""\
# Written by hd_pipelines at every start; changes are lost. Put yours into data/postgresql.auto.conf (ALTER SYSTEM).

# Reach: this machine only, with a password everywhere.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{_quoted(socket_dir)}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 100

# Memory, on a machine of {memory_mb} MB that does other work too.
shared_buffers = {shared_buffers}MB
effective_cache_size = {max(256, memory_mb // 2)}MB
work_mem = 32MB
maintenance_work_mem = {min(512, max(64, memory_mb // 16))}MB
# /dev/shm has {shared_memory_mb} MB; parallel queries need a few hundred, so without them mapped files are used.
dynamic_shared_memory_type = '{dynamic}'

# Bulk load. There is no replica and no archive (backups are dumps), so the log only has to serve crash recovery: at
# wal_level=minimal a COPY into a table that the same transaction created or truncated writes no WAL and is synced at
# commit instead. wal_level=minimal requires max_wal_senders=0. A large max_wal_size keeps checkpoints out of a load.
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
min_wal_size = 256MB
checkpoint_timeout = 15min
wal_buffers = 16MB
random_page_cost = 1.1

# Logs: a week, one file per weekday.
logging_collector = on
log_directory = '../logs'
log_filename = 'postgresql-%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%a %u@%d '
log_lock_waits = on
log_timezone = 'UTC'

# A forgotten transaction must not hold locks over a session.
idle_in_transaction_session_timeout = '10min'
timezone = 'UTC'
"""


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
