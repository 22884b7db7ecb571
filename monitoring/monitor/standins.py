"""Stand-ins for anomalies() and forecast(), whose formulas are not published; they are used only on request.

They are simple and documented completely, so that the result of a test that uses one can be understood. They
do not reproduce Datadog's bands.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Index = NDArray[np.int64]

Band = tuple[Values, Values]


def median_band(values: Values, deviations: float) -> Band:
    """`median-band`: at each point, the median of all earlier points of the query window, plus and minus
    `deviations` times their median absolute deviation times 1.4826. No band for the first three points."""
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for at in range(3, len(values)):
        centre = float(np.median(values[:at]))
        spread = 1.4826 * float(np.median(np.abs(values[:at] - centre)))
        low[at], high[at] = centre - deviations * spread, centre + deviations * spread
    return low, high


def linear_trend(times: Index, values: Values, until: Index, deviations: float) -> Band:
    """`linear-trend`: the least-squares line through the history, plus and minus `deviations` standard
    deviations of the residuals, at the times `until`."""
    if len(values) < 2:
        nothing = np.full(len(until), np.nan)
        return nothing, nothing
    origin = times[0]
    slope, offset = np.polyfit((times - origin).astype(float), values, 1)
    spread = float(np.std(values - (slope * (times - origin) + offset)))
    line = slope * (until - origin) + offset
    return line - deviations * spread, line + deviations * spread


ANOMALIES: dict[str, Callable[[Values, float], Band]] = {"median-band": median_band}
FORECASTS: dict[str, Callable[[Index, Values, Index, float], Band]] = {"linear-trend": linear_trend}


def anomalous_share(values: Values, inside: NDArray[np.bool_], band: Band, direction: str) -> float:
    """Return the share of the alert window's points (`inside`) that are outside the band in `direction`."""
    low, high = band
    below, above = values < low, values > high
    odd = {"above": above, "below": below}.get(direction, above | below)
    return float(odd[inside].mean()) if inside.any() else float("nan")
