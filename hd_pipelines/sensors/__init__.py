"""Sensors: outside events that start runs. Each reads a level, not an edge, and has deterministic run keys."""

from hd_pipelines.sensors.automation import follow_new_greeks
from hd_pipelines.sensors.flat_files import new_flat_files
from hd_pipelines.sensors.scan import new_inputs_in_session

ALL_SENSORS = [new_flat_files, follow_new_greeks, new_inputs_in_session]
