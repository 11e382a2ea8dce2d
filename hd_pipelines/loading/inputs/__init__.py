"""What comes from outside: vendor files, chain archives, chain snapshots and live bars, into the lake or the warehouse."""
