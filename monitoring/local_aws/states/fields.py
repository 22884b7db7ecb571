"""The fields of the states language: which state has which, in which query language, and what they take."""

_ANY = "Type Comment QueryLanguage"
_MOVE = "Next End"
_PATHS = "InputPath OutputPath"
_WORK = "Retry Catch Assign"
_RESULT = "Parameters ResultSelector ResultPath"
_MAP = (
    "ItemProcessor Iterator ItemSelector MaxConcurrency ItemReader ItemBatcher ResultWriter Label "
    "ToleratedFailureCount ToleratedFailurePercentage"
)

JSONPATH: dict[str, frozenset[str]] = {
    kind: frozenset(f"{_ANY} {fields}".split())
    for kind, fields in {
        "Task": f"{_MOVE} {_PATHS} {_WORK} {_RESULT} Resource Credentials TimeoutSeconds TimeoutSecondsPath "
        "HeartbeatSeconds HeartbeatSecondsPath",
        "Pass": f"{_MOVE} {_PATHS} Assign Parameters Result ResultPath",
        "Choice": f"{_PATHS} Assign Choices Default",
        "Wait": f"{_MOVE} {_PATHS} Assign Seconds SecondsPath Timestamp TimestampPath",
        "Succeed": _PATHS,
        "Fail": "Error ErrorPath Cause CausePath",
        "Parallel": f"{_MOVE} {_PATHS} {_WORK} {_RESULT} Branches",
        "Map": f"{_MOVE} {_PATHS} {_WORK} {_RESULT} {_MAP} ItemsPath MaxConcurrencyPath "
        "ToleratedFailureCountPath ToleratedFailurePercentagePath",
    }.items()
}
JSONATA: dict[str, frozenset[str]] = {
    kind: frozenset(f"{_ANY} {fields}".split())
    for kind, fields in {
        "Task": f"{_MOVE} {_WORK} Arguments Output Resource Credentials TimeoutSeconds HeartbeatSeconds",
        "Pass": f"{_MOVE} Assign Output",
        "Choice": "Assign Output Choices Default",
        "Wait": f"{_MOVE} Assign Output Seconds Timestamp",
        "Succeed": "Output",
        "Fail": "Error Cause",
        "Parallel": f"{_MOVE} {_WORK} Arguments Output Branches",
        "Map": f"{_MOVE} {_WORK} {_MAP} Output Items",
    }.items()
}
MACHINE = frozenset(["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"])
BRANCH = frozenset(["Comment", "QueryLanguage", "StartAt", "States", "ProcessorConfig"])
RETRIER = frozenset(
    [
        "Comment",
        "ErrorEquals",
        "IntervalSeconds",
        "MaxAttempts",
        "BackoffRate",
        "MaxDelaySeconds",
        "JitterStrategy",
    ]
)
CATCHER = {
    False: frozenset(["Comment", "ErrorEquals", "Next", "ResultPath", "Assign"]),
    True: frozenset(["Comment", "ErrorEquals", "Next", "Output", "Assign"]),
}
RULE = {
    False: frozenset(["Comment", "Next", "Assign"]),
    True: frozenset(["Comment", "Next", "Assign", "Output", "Condition"]),
}

REQUIRED: dict[str, str] = {"Task": "Resource", "Choice": "Choices", "Parallel": "Branches"}
EXACTLY_ONE: dict[str, tuple[str, ...]] = {
    "Wait": ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    "Map": ("ItemProcessor", "Iterator"),
}
AT_MOST_ONE: tuple[tuple[str, str], ...] = tuple(
    (name, f"{name}Path")
    for name in (
        "TimeoutSeconds",
        "HeartbeatSeconds",
        "MaxConcurrency",
        "ToleratedFailureCount",
        "ToleratedFailurePercentage",
        "Error",
        "Cause",
    )
)
TERMINAL = frozenset(("Choice", "Succeed", "Fail"))
"""Types of state without Next and End."""

PATH_FIELDS = frozenset(
    [
        "InputPath",
        "OutputPath",
        "ItemsPath",
        "SecondsPath",
        "TimestampPath",
        "TimeoutSecondsPath",
        "HeartbeatSecondsPath",
        "MaxConcurrencyPath",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentagePath",
        "ErrorPath",
        "CausePath",
    ]
)
NULLABLE = frozenset(("InputPath", "OutputPath", "ResultPath"))
CALLABLE = frozenset(("ErrorPath", "CausePath"))
"""Paths that may be an intrinsic function."""
TEMPLATES = frozenset(("Parameters", "ResultSelector", "ItemSelector", "Assign", "Credentials"))
EXPRESSIONS = frozenset(
    [
        "Arguments",
        "Output",
        "Assign",
        "ItemSelector",
        "Items",
        "Credentials",
        "TimeoutSeconds",
        "HeartbeatSeconds",
        "Seconds",
        "Timestamp",
        "Error",
        "Cause",
        "MaxConcurrency",
        "ToleratedFailureCount",
        "ToleratedFailurePercentage",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
    ]
)
"""Fields of JSONata states that may be expressions or hold some."""

NUMBERS: dict[str, tuple[float, float, bool]] = {
    "TimeoutSeconds": (1, 99_999_999, True),
    "HeartbeatSeconds": (1, 99_999_999, True),
    "Seconds": (0, 99_999_999, True),
    "MaxConcurrency": (0, float("inf"), True),
    "ToleratedFailureCount": (0, float("inf"), True),
    "ToleratedFailurePercentage": (0, 100, False),
    "IntervalSeconds": (1, 99_999_999, True),
    "MaxAttempts": (0, 99_999_999, True),
    "MaxDelaySeconds": (1, 31_622_400, True),
    "BackoffRate": (1, float("inf"), False),
}
"""The least and the largest value of a field, and whether it is an integer."""

ENUMS: dict[str, tuple[str, ...]] = {
    "QueryLanguage": ("JSONPath", "JSONata"),
    "JitterStrategy": ("FULL", "NONE"),
    "Mode": ("INLINE", "DISTRIBUTED"),
    "ExecutionType": ("STANDARD", "EXPRESS"),
    "InputType": ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
    "Transformation": ("NONE", "COMPACT", "FLATTEN", "LOAD_AND_FLATTEN"),
    "OutputType": ("JSON", "JSONL"),
}
"""The values of a field that takes one of a few."""

UNSUPPORTED = {"InputType": "PARQUET", "Transformation": "LOAD_AND_FLATTEN"}
"""Values that AWS takes and this AWS does not."""
DISTRIBUTED_ONLY = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
