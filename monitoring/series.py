"""Alias of `monitoring.query.series`, which had this name up to 0.1."""

import sys
import warnings

from monitoring.query import series

warnings.warn("monitoring.series is monitoring.query.series now", DeprecationWarning, stacklevel=2)
sys.modules[__name__] = series
