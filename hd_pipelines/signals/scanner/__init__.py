"""The composite scanner: turns rows on which detectors fire into scored signals with a trade plan."""
