"""Small transactional records: files, chains, findings, watchlist, alerts, signals."""
