"""The only part that speaks to Datadog: connections that are kept, and where each kind of data goes."""

from monitoring.datadog_api.intake import Intake
from monitoring.datadog_api.transport import Transport

__all__ = ["Intake", "Transport"]
