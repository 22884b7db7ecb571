"""Monitors over time: states, evidence and notifications, without a network and without a clock."""

from monitoring.monitor.checks import CheckSeries
from monitoring.monitor.definition import Monitor, Options, Thresholds
from monitoring.monitor.evaluation import Data, Setting, evaluate_monitor
from monitoring.monitor.history import Evidence, GroupHistory, History, Notification, Verdict
from monitoring.monitor.mutes import Mute
from monitoring.monitor.search import Record
from monitoring.monitor.states import Rule, State
from monitoring.monitor.switches import Switches

__all__ = [
    "CheckSeries",
    "Data",
    "Evidence",
    "GroupHistory",
    "History",
    "Monitor",
    "Mute",
    "Notification",
    "Options",
    "Record",
    "Rule",
    "Setting",
    "State",
    "Switches",
    "Thresholds",
    "Verdict",
    "evaluate_monitor",
]
