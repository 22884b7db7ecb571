"""List the functions of the query language: parameters, summary, exactness and source."""

from typing import Literal, NamedTuple

Kind = Literal["query", "number", "word", "text", "groups"]
Exactness = Literal["documented", "inferred", "unpublished"]


class Parameter(NamedTuple):
    """A parameter; `choices` are its valid words, in upper or lower case; () means any."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    required: bool = True


class Function(NamedTuple):
    """A function. `exactness` is "documented" by Datadog, "inferred" if the documentation is incomplete, or
    "unpublished": without a published formula it can be parsed but not evaluated offline."""

    name: str
    parameters: tuple[Parameter, ...]
    summary: str
    exactness: Exactness = "documented"
    source: str = ""
    keywords: tuple[str, ...] = ()

    @property
    def fewest(self) -> int:
        """The number of required arguments."""
        return sum(parameter.required for parameter in self.parameters)

    def usage(self) -> str:
        """Return the usage of the function: `clamp_min(query, bound)`."""
        return f"{self.name}({', '.join(parameter.name for parameter in self.parameters)})"


Q = Parameter("query", "query")
REDUCERS = ("max", "mean", "min", "sum", "last", "l2norm", "area")
ORDERS = ("asc", "desc")
ROLLUPS = ("avg", "sum", "min", "max", "count")
SPACE_AGGREGATORS = ("avg", "sum", "min", "max")


def _number(name: str, required: bool = True) -> Parameter:
    return Parameter(name, "number", required=required)


def _word(name: str, *choices: str, required: bool = True) -> Parameter:
    return Parameter(name, "word", choices, required)


def _plain(source: str, *rows: tuple[str, str, Exactness]) -> list[Function]:
    return [Function(name, (Q,), summary, exactness, source) for name, summary, exactness in rows]


_ARITHMETIC = [
    *_plain(
        "dashboards/functions/arithmetic",
        ("abs", "the absolute value", "documented"),
        ("log2", "the logarithm to base 2; no value at or below 0", "documented"),
        ("log10", "the logarithm to base 10; no value at or below 0", "documented"),
        ("cumsum", "the running sum over the visible window", "documented"),
        (
            "integral",
            "the running sum of seconds times change of the value; see the switch `integral_of`",
            "inferred",
        ),
    ),
    Function(
        "round",
        (Q, _number("digits", required=False)),
        "to the nearest whole number, halves away from zero",
        "inferred",
        "shipped dashboards",
    ),
]
_INTERPOLATION = [
    Function(
        "default_zero",
        (Q,),
        "empty buckets become the interpolated value where interpolation is on, else 0; "
        "no effect on a window without any point, which a monitor evaluates as 0",
        "documented",
        "dashboards/functions/interpolation",
    ),
    Function(
        "fill",
        (Q, _word("method", "linear", "last", "zero", "null"), _number("limit", required=False)),
        "empty buckets after a point, for at most `limit` seconds (300 without it)",
        "inferred",
        "dashboards/functions/interpolation",
    ),
]
_TIMESHIFT = [
    *_plain(
        "dashboards/functions/timeshift",
        ("hour_before", "the value an hour earlier", "documented"),
        ("day_before", "the value a day earlier", "documented"),
        ("week_before", "the value 7 days earlier", "documented"),
        ("month_before", "the value 28 days earlier", "documented"),
    ),
    Function(
        "timeshift",
        (Q, _number("seconds")),
        "the value that many seconds earlier (the number is negative); the sign is ignored, because shipped "
        "dashboards leave it out",
        "documented",
        "dashboards/functions/timeshift",
    ),
    Function(
        "calendar_shift",
        (
            Q,
            Parameter("shift", "text"),
            Parameter("timezone", "text", required=False),
            _word("mode", "preserve_duration", required=False),
        ),
        "the value one calendar unit earlier in the time zone: -1d, -7d, -1w, -1mo, -30d",
        "documented",
        "dashboards/functions/timeshift",
    ),
]
_RATE = _plain(
    "dashboards/functions/rate",
    ("per_second", "change per second since the previous point", "inferred"),
    ("per_minute", "change per minute since the previous point", "inferred"),
    ("per_hour", "change per hour since the previous point", "inferred"),
    ("dt", "seconds since the previous point, one line over all groups", "documented"),
    ("diff", "the value minus that of the previous point", "documented"),
    ("monotonic_diff", "`diff` unless the value falls; see the switch `monotonic_reset`", "inferred"),
    ("derivative", "`diff` divided by `dt`", "documented"),
    ("rate", "undocumented, in shipped dashboards: taken as `per_second`", "inferred"),
    ("throughput", "the value divided by the seconds of its bucket", "documented"),
)
_EXCLUSION = [
    Function("exclude_null", (Q,), "drops groups with an N/A tag", source="dashboards/functions/exclusion"),
    *(
        Function(name, (Q, _number("bound")), summary, source="dashboards/functions/exclusion")
        for name, summary in (
            ("clamp_min", "values below the bound, and missing ones, become the bound"),
            ("clamp_max", "values above the bound, and missing ones, become the bound"),
            ("cutoff_min", "values below the bound become missing"),
            ("cutoff_max", "values above the bound become missing"),
        )
    ),
]
_COUNT = _plain(
    "dashboards/functions/count",
    ("count_nonzero", "in each bucket, the number of groups with a value other than 0", "documented"),
    ("count_nonzero_finite", "the same as `count_nonzero`", "documented"),
    ("count_not_null", "in each bucket, the number of groups with a value", "documented"),
)
_RANKED = {"top": "that rank highest", "bottom": "that rank lowest"}
_RANK = [
    Function(
        "top",
        (
            Q,
            _number("count", required=False),
            _word("by", *REDUCERS, required=False),
            _word("order", *ORDERS, required=False),
        ),
        "keeps the groups that rank first over the whole window",
        "documented",
        "dashboards/functions/rank",
    ),
    *_plain(
        "dashboards/functions/rank",
        *(
            (
                f"{side}{count}{reducer and '_'}{reducer}",
                f"the {count} groups {_RANKED[side]} by {reducer or 'mean'} over the window",
                "documented",
            )
            for side in ("top", "bottom")
            for count in (5, 10, 15, 20)
            for reducer in ("", "mean", "min", "max", "last", "area", "l2norm")
        ),
    ),
]
_SMOOTHING = [
    *_plain(
        "dashboards/functions/smoothing",
        *(
            (f"ewma_{span}", f"exponentially weighted mean with a span of {span} points", "inferred")
            for span in (3, 5, 7, 10, 20)
        ),
        *((f"median_{span}", f"median of the last {span} points", "inferred") for span in (3, 5, 7, 9)),
        (
            "autosmooth",
            "a moving average, as wide as ASAP finds smoothest without losing outliers",
            "inferred",
        ),
    ),
    *_plain(
        "dashboards/functions/beta",
        *((f"rollingavg_{span}", f"mean of the last {span} points", "inferred") for span in (5, 13, 21, 29)),
    ),
]
_REGRESSION = _plain(
    "dashboards/functions/regression",
    ("trend_line", "a straight line by least squares", "documented"),
    ("robust_trend", "a straight line by Huber loss", "inferred"),
    ("piecewise_constant", "segments of constant value", "unpublished"),
)
_NESTED = "metrics/nested_queries"
_LAYERS = [
    Function(
        "rollup",
        (
            Q,
            _word("aggregator", *ROLLUPS, "stddev", "pNN"),
            Parameter("seconds", "number", ("daily", "weekly", "monthly")),
        ),
        "a further time aggregation, into wider buckets",
        "documented",
        _NESTED,
    ),
    Function(
        "moving_rollup",
        (Q, _number("seconds"), _word("aggregator", "avg", "sum", "min", "max", "count", "median")),
        "combines the points of the last seconds before each point, itself included",
        "documented",
        "dashboards/functions/rollup",
    ),
    Function(
        "reduce",
        (
            Q,
            _word("aggregator", "avg", "sum", "min", "max", "last", "count", "pNN", "l2norm", "area", "mean"),
        ),
        "the whole window as one value, at each of its points",
        "inferred",
        _NESTED,
    ),
    Function(
        "percentile",
        (Q, _word("percentile", "pNN"), Parameter("groups", "groups", required=False)),
        "in each bucket, the percentile across the groups",
        "inferred",
        _NESTED,
    ),
    *(
        Function(
            name,
            (Q, Parameter("groups", "groups")),
            f"a further space aggregation: the {name} of the groups that agree on the keys",
            "documented",
            _NESTED,
        )
        for name in ("avg", "sum", "count")
    ),
    *(
        Function(
            name,
            (Q, Parameter("query or groups", "query", ("groups",))),
            f"the {name} of two queries or of a query and a number; with groups, a further space aggregation",
            "documented",
            "dashboards/querying",
        )
        for name in ("min", "max")
    ),
    *(
        Function(name, (Q, _number("bound")), summary, "documented", _NESTED)
        for name, summary in (
            ("is_greater", "1 where the value is above the bound, else 0"),
            ("is_less", "1 where the value is below the bound, else 0"),
        )
    ),
    Function(
        "is_between",
        (Q, _number("lower"), _number("upper")),
        "1 where the value is between the bounds (exclusive), else 0",
        "documented",
        _NESTED,
    ),
]
_ALGORITHMS = [
    Function(
        "anomalies",
        (
            Q,
            _word("algorithm", "basic", "agile", "robust", "adaptive"),
            _number("deviations", required=False),
        ),
        "a band of expected values",
        "unpublished",
        "dashboards/functions/algorithms",
        ("direction", "alert_window", "interval", "count_default_zero", "seasonality", "timezone"),
    ),
    Function(
        "outliers",
        (
            Q,
            _word("algorithm", "dbscan", "mad", "scaleddbscan", "scaledmad"),
            _number("tolerance", required=False),
            _number("percentage", required=False),
        ),
        "the lines as they are: which of them are outliers is for a monitor to say",
        "inferred",
        "dashboards/functions/algorithms",
        ("tolerance", "pct"),
    ),
    Function(
        "forecast",
        (Q, _word("algorithm", "linear", "seasonal"), _number("deviations", required=False)),
        "a band of future values",
        "unpublished",
        "dashboards/functions/algorithms",
        ("interval", "history", "model", "seasonality", "timezone", "deviations"),
    ),
]

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for group in (
        _ARITHMETIC,
        _INTERPOLATION,
        _TIMESHIFT,
        _RATE,
        _EXCLUSION,
        _COUNT,
        _RANK,
        _SMOOTHING,
        _REGRESSION,
        _LAYERS,
        _ALGORITHMS,
    )
    for function in group
}
"""Every function that a query may call, by name."""


class ModifierRule(NamedTuple):
    """A modifier of a metric query: its usage and summary."""

    usage: str
    summary: str
    source: str


MODIFIERS: dict[str, ModifierRule] = {
    "as_count": ModifierRule(
        ".as_count()", "counts per bucket; no interpolation", "metrics/custom_metrics/type_modifiers"
    ),
    "as_rate": ModifierRule(
        ".as_rate()", "counts per second; no interpolation", "metrics/custom_metrics/type_modifiers"
    ),
    "rollup": ModifierRule(
        ".rollup(aggregator, seconds)",
        "how the points of one source become buckets; either argument alone will do, and daily, weekly or "
        "monthly stand for calendar buckets",
        "dashboards/functions/rollup",
    ),
    "fill": ModifierRule(
        ".fill(method, limit)",
        "what empty buckets become: linear, last, zero or null, for at most limit seconds",
        "dashboards/functions/interpolation",
    ),
    "weighted": ModifierRule(
        ".weighted()",
        "sums of gauges whose sources come and go, weighted by the time that each was there",
        "dashboards/guide/how-weighted-works",
    ),
}
