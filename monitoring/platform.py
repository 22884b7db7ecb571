"""Alias of `monitoring.log_events`, which had this name up to 0.1; only `names` was documented."""

import sys
import warnings

from monitoring.log_events import names

warnings.warn("monitoring.platform is monitoring.log_events now", DeprecationWarning, stacklevel=2)
sys.modules["monitoring.platform.names"] = names
