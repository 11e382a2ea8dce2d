"""What several commands print: the radar, signals, the summary of a run, and the table layout they share."""
