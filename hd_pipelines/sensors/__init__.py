"""Sensors: outside events that start runs or send alerts.

A sensor compares states instead of waiting for an event, and its run keys are deterministic: a lost tick loses nothing
and a repeated one starts nothing twice.
"""

from hd_pipelines.sensors.alert_delivery import deliver_alerts
from hd_pipelines.sensors.alert_signals import alert_new_signals
from hd_pipelines.sensors.automation import follow_new_greeks
from hd_pipelines.sensors.failure_alerts import alert_failures
from hd_pipelines.sensors.flat_files import new_flat_files
from hd_pipelines.sensors.late_data_alerts import alert_late_data
from hd_pipelines.sensors.scan import new_inputs_in_session

ALL_SENSORS = [
    new_flat_files,
    follow_new_greeks,
    new_inputs_in_session,
    alert_failures,
    alert_late_data,
    alert_new_signals,
    deliver_alerts,
]
