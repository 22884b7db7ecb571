"""Check each step from a printed line to Datadog: the forwarder, its API key, its spool, each function."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from monitoring.doctor.account import FORWARDER, SUBSCRIBER, Account, AccountFunction, Clients, reason
from monitoring.doctor.checks import Check, fault, ok, unknown
from monitoring.doctor.datadog import Datadog, has_points
from monitoring.errors import InputError
from monitoring.forwarder.aws import error_code
from monitoring.forwarder.keys import ApiKey
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.lines import parse_line

_INSTALL = "deploy the template deploy/forwarder.yaml of stepscope's repository with CloudFormation"
_TRACE = '"traces"'


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """Options of the doctor.

    Attributes:
        functions: names of functions, `*` for any characters; empty for all functions.
        forwarder: the forwarder's name or ARN; "" for every forwarder of the region.
        url: Datadog's address instead of the one that the forwarder uses.
        app_key: Datadog's application key, needed to query points.
        since: how many seconds back logs and points are read.
        most: the largest number of functions to check.
    """

    functions: tuple[str, ...] = ()
    forwarder: str = ""
    url: str = ""
    app_key: str = ""
    since: int = 3600
    most: int = 50


def walk(options: DoctorOptions, clients: Clients, clock: Callable[[], float] = time.time) -> Iterator[Check]:
    """Yield the result of each step.

    Raises:
        InputError: AWS cannot be called, or no function has a name that was given.
    """
    account = Account(clients)
    yield ok("account", account.identity(), "AWS answers")
    functions = list(account.functions())
    forwarders = _forwarders(functions, options)
    functions_to_check = _functions_to_check(functions, options)
    datadog = None
    if not forwarders:
        yield fault("forwarder", "Lambda", f"no function has the handler {FORWARDER}", _INSTALL)
    for forwarder in forwarders:
        checks, api = _forwarder(forwarder, account, clients, options, clock)
        datadog = api or datadog
        yield from checks
    arns = {forwarder.arn for forwarder in forwarders}
    for function in functions_to_check[: options.most]:
        yield from _function(function, account, arns, datadog, options, clock)
    if len(functions_to_check) > options.most:
        message = f"{len(functions_to_check) - options.most} further functions were not checked"
        yield unknown("functions", "Lambda", message, "select functions with --function")


def _forwarders(functions: list[AccountFunction], options: DoctorOptions) -> list[AccountFunction]:
    matches = [function for function in functions if options.forwarder in (function.name, function.arn)]
    if options.forwarder and not matches:
        raise InputError(
            f"the function {options.forwarder} does not exist",
            where="--forwarder",
            hint="check the name and AWS_REGION",
        )
    return matches or [function for function in functions if function.handler == FORWARDER]


def _functions_to_check(functions: list[AccountFunction], options: DoctorOptions) -> list[AccountFunction]:
    forwarder_handlers = {FORWARDER, SUBSCRIBER}
    others = [
        function
        for function in functions
        if function.handler not in forwarder_handlers and function.name != options.forwarder
    ]
    for pattern in options.functions:
        if not any(fnmatchcase(function.name, pattern) for function in others):
            raise InputError(f"no function is named {pattern}", where="--function", hint="check AWS_REGION")
    patterns = options.functions or ("*",)
    return [
        function for function in others if any(fnmatchcase(function.name, pattern) for pattern in patterns)
    ]


# -- the forwarder


def _forwarder(
    function: AccountFunction,
    account: Account,
    clients: Clients,
    options: DoctorOptions,
    clock: Callable[[], float],
) -> tuple[list[Check], Datadog | None]:
    try:
        settings = ForwarderSettings.from_env(function.variables)
    except InputError as error:
        hint = f"correct the variable {error.where} of {function.name}"
        return [fault("forwarder", function.name, f"a setting is not valid: {error.message}", hint)], None
    checks = [ok("forwarder", function.name, "the function exists, and its settings are valid")]
    key, datadog = _key(function, settings, clients, options)
    checks += key
    checks.append(_health(function, account, options, clock))
    checks += _spool(function, settings, account)
    return checks, datadog


def _key(
    function: AccountFunction, settings: ForwarderSettings, clients: Clients, options: DoctorOptions
) -> tuple[list[Check], Datadog | None]:
    base = options.url or settings.url or f"https://api.{settings.site}"
    try:
        key = _read_key(settings, clients)
    except InputError as error:
        hint = error.hint or "set ApiKeySecretArn, ApiKeyParameter or ApiKeyCiphertext of the stack"
        return [unknown("key", error.where or function.name, error.message, hint)], None
    datadog = Datadog(base, key, options.app_key)
    answer = datadog.validate()
    if answer.status == 200:
        return [ok("key", base, "Datadog accepts the API key")], datadog
    if answer.status in (401, 403):
        message = f"Datadog answers {answer.status} to the API key"
        hint = f"is it an API key, not an application key, and of this site? DD_SITE is {settings.site}"
        return [fault("key", base, message, hint)], None
    message = (
        f"Datadog answers {answer.status}" if answer.status else f"Datadog does not answer: {answer.error}"
    )
    return [fault("key", base, message, "check DD_SITE, DD_URL and the network between (proxy, VPC)")], None


def _read_key(settings: ForwarderSettings, clients: Clients) -> str:
    """Return the API key from the forwarder's secret, parameter or setting, read with `clients`."""
    try:
        if settings.api_key_secret:
            secret = clients("secretsmanager").get_secret_value(SecretId=settings.api_key_secret)
            return ApiKey(_plain(str(secret["SecretString"])), clients)()
        if settings.api_key_parameter:
            answer = clients("ssm").get_parameter(Name=settings.api_key_parameter, WithDecryption=True)
            return ApiKey(_plain(str(answer["Parameter"]["Value"])), clients)()
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - boto3's errors have no narrower base class
        raise InputError(
            f"the API key cannot be read: {error_code(error) or type(error).__name__}",
            where=settings.api_key_secret or settings.api_key_parameter,
            hint="does it exist, and may you read it? The forwarder's own log says whether it may",
        ) from None  # the cause might quote what it read
    return ApiKey(settings, clients)()


def _plain(key: str) -> ForwarderSettings:
    return ForwarderSettings(api_key=key)


def _health(
    function: AccountFunction, account: Account, options: DoctorOptions, clock: Callable[[], float]
) -> Check:
    since = round((clock() - options.since) * 1000)
    try:
        messages = account.messages(function.log_group, since)
    except Exception as error:  # noqa: BLE001 - any error: the other steps are still checked
        return unknown("health", function.log_group, reason(error), "allow logs:FilterLogEvents on it")
    summaries = [text for text in messages if "stepscope.forwarder" in text]
    bad = [text for text in messages if "[ERROR]" in text or "Task timed out" in text or '"errors":' in text]
    if bad:
        return fault(
            "health", function.log_group, f"it reports an error: {bad[-1].strip()[:300]}", "read its log"
        )
    if not summaries:
        message = f"it was not invoked in the last {options.since} s, not even by its schedule"
        return fault(
            "health", function.name, message, "is the rule that redrives enabled, and may it invoke?"
        )
    return ok("health", function.log_group, f"{len(summaries)} recent invocations, none with an error")


def _spool(function: AccountFunction, settings: ForwarderSettings, account: Account) -> Iterator[Check]:
    if not settings.spool_queue:
        if not settings.spool_bucket:
            hint = "set MONITORING_SPOOL_QUEUE or MONITORING_SPOOL_BUCKET"
            yield fault("spool", function.name, "it has no spool: an outage of Datadog loses data", hint)
        return
    try:
        count, dead = account.waiting(settings.spool_queue)
        given_up = account.waiting(account.queue_url(dead))[0] if dead else 0
    except Exception as error:  # noqa: BLE001 - as above
        yield unknown("spool", settings.spool_queue, reason(error), "allow sqs:GetQueueAttributes on it")
        return
    if count:
        message = f"{count} entries that Datadog did not accept are waiting"
        yield fault("spool", settings.spool_queue, message, "they are sent when Datadog accepts data again")
    else:
        yield ok("spool", settings.spool_queue, "it is empty")
    if given_up:
        hint = "remove the cause, then aws sqs start-message-move-task from the queue to the spool"
        yield fault("dead letters", dead, f"{given_up} messages were not delivered and are not retried", hint)


# -- a function


def _function(
    function: AccountFunction,
    account: Account,
    forwarders: set[str],
    datadog: Datadog | None,
    options: DoctorOptions,
    clock: Callable[[], float],
) -> Iterator[Check]:
    try:
        destinations = account.destinations(function.log_group)
        messages = account.messages(function.log_group, round((clock() - options.since) * 1000))
    except Exception as error:  # noqa: BLE001 - as above
        yield _unreadable_logs(function, error)
        return
    printed = [point for text in messages for point in parse_line(text.rstrip("\r\n"))]
    yield _lines(function, messages, bool(printed), options)
    if forwarders & set(destinations):
        yield ok("subscription", function.log_group, "the forwarder receives its events")
    else:
        yield _unsubscribed(function, destinations)
        return
    if printed:
        newest = max(printed, key=lambda point: point.timestamp)
        yield _points(function, newest.metric, datadog, options, clock)


def _unreadable_logs(function: AccountFunction, error: Exception) -> Check:
    if error_code(error) == "ResourceNotFoundException":
        hint = "invoke it once; then check that its role may write logs"
        return fault("lines", function.log_group, f"{function.name} has no log group yet", hint)
    hint = "allow logs:FilterLogEvents and logs:DescribeSubscriptionFilters"
    return unknown("lines", function.log_group, reason(error), hint)


def _lines(function: AccountFunction, messages: list[str], printed: bool, options: DoctorOptions) -> Check:
    if printed or any(_TRACE in text for text in messages):
        return ok("lines", function.name, "it prints metrics or traces")
    if not messages:
        message = f"it has written no logs in the last {options.since} s"
        return unknown("lines", function.name, message, "invoke it, or look further back with --since")
    hint = "decorate its handler with @monitored (from monitoring import monitored), and deploy it"
    return fault("lines", function.name, "it writes logs, but no metrics and no traces", hint)


def _unsubscribed(function: AccountFunction, destinations: list[str]) -> Check:
    others = f"; it is subscribed to {', '.join(destinations)}" if destinations else ""
    hint = "select it by LogGroupNames, LogGroupPrefixes or LogGroupTags of the forwarder's stack"
    if len(destinations) >= 2:
        hint = "remove one of its two subscription filters: CloudWatch Logs allows no third"
    message = f"the forwarder does not receive its events{others}"
    return fault("subscription", function.log_group, message, hint)


def _points(
    function: AccountFunction,
    metric: str,
    datadog: Datadog | None,
    options: DoctorOptions,
    clock: Callable[[], float],
) -> Check:
    where = f"{metric}{{functionname:{function.name.lower()}}}"
    if datadog is None:
        return unknown("points", where, "Datadog was not queried", "see the check `key` first")
    now = round(clock())
    answer = datadog.points(f"sum:{where}", now - options.since, now + 60)
    if answer.status == 200:
        if has_points(answer):
            return ok("points", where, "Datadog has points of it")
        hint = "wait for two minutes; then look at the forwarder's log, and at its filters"
        return fault("points", where, "it was printed, but Datadog has no points of it", hint)
    if answer.status in (401, 403):
        return unknown(
            "points", where, f"Datadog answers {answer.status}", "set DD_APP_KEY to an application key"
        )
    return unknown("points", where, f"Datadog answers {answer.status or answer.error}", "try again")
