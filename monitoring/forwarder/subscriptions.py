"""Select log groups, subscribe them to the forwarder, and remove the subscriptions.

The subscriber function (`monitoring.forwarder.subscriber`) runs this.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from monitoring.errors import InputError
from monitoring.forwarder.aws import Clients, error_code

STATES_PREFIX = "/aws/vendedlogs/states/"
_MOST_FILTERS = 2
_FULL = (
    "the log group has two subscription filters already, as many as CloudWatch Logs allows: "
    "remove one of them, or exclude the log group"
)


class Selection(NamedTuple):
    """Criteria of log groups: those that any of the criteria selects, without the excluded ones.

    Attributes:
        names: log groups by their exact name.
        prefixes: prefixes of names of log groups; `*` selects every log group.
        tags: (key, value) of log groups' own tags; the value "" is any.
        state_machines: names of state machines whose log groups are subscribed; `*` is any characters.
        excluded: names of log groups that are never subscribed; `*` is any characters.
    """

    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    state_machines: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def allows(self, group: str) -> bool:
        """Return whether the log group is not excluded."""
        return not any(fnmatchcase(group, pattern) for pattern in self.excluded)

    def matches(self, group: str, tags: Mapping[str, str]) -> bool:
        """Return whether a log group is selected by its name, its prefix or its tags."""
        return self.allows(group) and (
            group in self.names
            or any(prefix == "*" or group.startswith(prefix) for prefix in self.prefixes)
            or any(key in tags and value in ("", tags[key]) for key, value in self.tags)
        )

    def has_machine(self, name: str) -> bool:
        """Return whether the log group of a state machine is selected."""
        return any(fnmatchcase(name, pattern) for pattern in self.state_machines)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberSettings:
    """The settings of the subscriber, each from one environment variable.

    Attributes:
        destination: the ARN of the forwarder, or of the stream that it reads.
        role: the ARN of the role that CloudWatch Logs writes to the stream with; "" for the forwarder itself.
        states_destination: the ARN of the forwarder of state machines' logs; "" for the same one.
        filter_name: the name of the subscription filters, which identifies them.
        pattern: the filter pattern, "" for every event.
        selection: which log groups are subscribed.
    """

    destination: str
    filter_name: str
    states_destination: str = ""
    role: str = ""
    pattern: str = ""
    selection: Selection = field(default_factory=Selection)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "SubscriberSettings":
        """Read the settings from an environment.

        Raises:
            InputError: a required variable is missing.
        """
        for name in ("MONITORING_DESTINATION", "MONITORING_FILTER_NAME"):
            if not environ.get(name):
                raise InputError("is not set", where=name, hint="deploy/forwarder.yaml sets it")
        return cls(
            destination=environ["MONITORING_DESTINATION"],
            filter_name=environ["MONITORING_FILTER_NAME"],
            states_destination=environ.get("MONITORING_STATES_DESTINATION", ""),
            role=environ.get("MONITORING_SUBSCRIPTION_ROLE", ""),
            pattern=environ.get("MONITORING_FILTER_PATTERN", ""),
            selection=Selection(
                names=_listed(environ, "NAMES"),
                prefixes=_listed(environ, "PREFIXES"),
                tags=tuple(_tag(text) for text in _listed(environ, "TAGS")),
                state_machines=_listed(environ, "STATE_MACHINES"),
                excluded=_listed(environ, "EXCLUDE"),
            ),
        )


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    texts = (text.strip() for text in environ.get(f"MONITORING_SUBSCRIBE_{name}", "").split(","))
    return tuple(dict.fromkeys(text for text in texts if text))


def _tag(text: str) -> tuple[str, str]:
    key, _, value = text.partition(":")
    return key.strip(), value.strip()


@dataclass(slots=True)
class Changes:
    """The changes of a reconciliation, for the summary line.

    Attributes:
        subscribed: the log groups that were subscribed.
        removed: the log groups whose subscription was removed.
        kept: the number of log groups that were subscribed already.
        errors: log group -> why it could not be changed.
    """

    subscribed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: int = 0
    errors: dict[str, str] = field(default_factory=dict)


class Subscriptions:
    """The forwarder's subscription filters in one account and region.

    Args:
        clients: returns the boto3 client of a service.
    """

    def __init__(self, settings: SubscriberSettings, clients: Clients) -> None:
        self._settings, self._clients = settings, clients
        self._subscribed: set[str] = set()  # subscribed by this process: not checked again
        self._machine_groups: set[str] = set()

    def reconcile(self) -> Changes:
        """Subscribe every selected log group, and remove the subscriptions of the others."""
        changes, selected = Changes(), dict.fromkeys(self.selected())
        self._subscribed.clear()
        for group in selected:
            self._subscribe(group, changes)
        for group in self._groups(""):
            if group not in selected:
                self._remove(group, changes)
        return changes

    def subscribe_selected(self) -> Changes:
        """Subscribe the selected log groups that this process has not subscribed yet."""
        changes = Changes()
        for group in self.selected():
            self._subscribe(group, changes)
        return changes

    def subscribe_new(self, group: str, tags: Mapping[str, str]) -> Changes:
        """Subscribe a log group that was just created, if it is selected."""
        changes = Changes()
        self._subscribed.discard(group)
        if self._settings.selection.matches(group, tags) or group in self._machine_groups:
            self._subscribe(group, changes)
        return changes

    def subscribe_machine(self, arn: str) -> Changes:
        """Subscribe the log group of a state machine that was just created or changed, if it is selected."""
        changes = Changes()
        if self._settings.selection.has_machine(arn.rpartition(":")[2]):
            for group in self._groups_of(arn):
                self._subscribe(group, changes)
        return changes

    def remove_all(self) -> Changes:
        """Remove every subscription of this stack."""
        changes = Changes()
        self._subscribed.clear()
        for group in self._groups(""):
            self._remove(group, changes)
        return changes

    def selected(self) -> Iterator[str]:
        """Yield the existing log groups that are selected, some of them several times."""
        selection = self._settings.selection
        by_name = self._existing(selection.names)
        for group in (*by_name, *self._by_prefix(), *self._by_tag(), *self._of_machines()):
            if selection.allows(group):
                yield group

    def destination(self, group: str) -> str:
        """Return the ARN of the function or stream that receives a log group's events."""
        of_machine = group.startswith(STATES_PREFIX) or group in self._machine_groups
        return (self._settings.states_destination if of_machine else "") or self._settings.destination

    # -- which log groups there are

    def _existing(self, names: tuple[str, ...]) -> Iterator[str]:
        for name in names:
            yield from (group for group in self._groups(name) if group == name)

    def _by_prefix(self) -> Iterator[str]:
        for prefix in self._settings.selection.prefixes:
            yield from self._groups("" if prefix == "*" else prefix, subscribable=True)

    def _by_tag(self) -> Iterator[str]:
        tags = self._settings.selection.tags
        if not tags:
            return
        pages = self._clients("resourcegroupstaggingapi").get_paginator("get_resources")
        for key, value in tags:
            tag_filter: dict[str, Any] = {"Key": key, "Values": [value] if value else []}
            for page in pages.paginate(ResourceTypeFilters=["logs"], TagFilters=[tag_filter]):
                for resource in page["ResourceTagMappingList"]:
                    if ":log-group:" in resource["ResourceARN"]:
                        yield _group_name(resource["ResourceARN"])

    def _of_machines(self) -> Iterator[str]:
        selection = self._settings.selection
        if not selection.state_machines:
            return
        for page in self._clients("stepfunctions").get_paginator("list_state_machines").paginate():
            for machine in page["stateMachines"]:
                if selection.has_machine(machine["name"]):
                    yield from self._groups_of(machine["stateMachineArn"])

    def _groups_of(self, machine: str) -> list[str]:
        described = self._clients("stepfunctions").describe_state_machine(stateMachineArn=machine)
        logging = described.get("loggingConfiguration") or {}
        if logging.get("level", "OFF") == "OFF":
            return []
        arns = [
            destination.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "")
            for destination in logging.get("destinations") or ()
        ]
        groups = [_group_name(arn) for arn in arns if arn]
        self._machine_groups.update(groups)
        return [group for group in groups if self._settings.selection.allows(group)]

    def _groups(self, prefix: str, *, subscribable: bool = False) -> Iterator[str]:
        """Yield the log groups whose names begin so.

        Args:
            prefix: how the names begin; "" is every log group.
            subscribable: leave out classes that take no subscription filters: INFREQUENT_ACCESS and DELIVERY.
        """
        parameters = {"logGroupNamePrefix": prefix} if prefix else {}
        for page in self._clients("logs").get_paginator("describe_log_groups").paginate(**parameters):
            for group in page["logGroups"]:
                if not subscribable or group.get("logGroupClass", "STANDARD") == "STANDARD":
                    yield group["logGroupName"]

    # -- one log group

    def _subscribe(self, group: str, changes: Changes) -> None:
        if group in self._subscribed:
            changes.kept += 1
            return
        destination = self.destination(group)
        try:
            filters = self._filters(group)
            current = filters.get(self._settings.filter_name)
            if current is None and len(filters) >= _MOST_FILTERS:  # boto3 would retry for minutes
                changes.errors[group] = _FULL
                return
            if current == (destination, self._settings.pattern):
                changes.kept += 1
            else:
                self._put(group, destination)
                changes.subscribed.append(group)
            self._subscribed.add(group)
        except Exception as error:  # noqa: BLE001 - an error of one log group must not prevent the others
            changes.errors[group] = _reason(error)

    def _put(self, group: str, destination: str) -> None:
        stream = {} if ":lambda:" in destination else {"roleArn": self._settings.role}
        self._clients("logs").put_subscription_filter(
            logGroupName=group,
            filterName=self._settings.filter_name,
            filterPattern=self._settings.pattern,
            destinationArn=destination,
            **stream,
        )

    def _remove(self, group: str, changes: Changes) -> None:
        try:
            if self._settings.filter_name in self._filters(group):
                self._clients("logs").delete_subscription_filter(
                    logGroupName=group, filterName=self._settings.filter_name
                )
                changes.removed.append(group)
        except Exception as error:  # noqa: BLE001 - as above
            if (
                error_code(error) != "ResourceNotFoundException"
            ):  # it was deleted meanwhile, and its filter with it
                changes.errors[group] = _reason(error)

    def _filters(self, group: str) -> dict[str, tuple[str, str]]:
        """Return destination and pattern of each subscription filter on a log group, by its name."""
        response = self._clients("logs").describe_subscription_filters(logGroupName=group)
        return {
            item["filterName"]: (item["destinationArn"], item.get("filterPattern", ""))
            for item in response["subscriptionFilters"]
        }


def _group_name(arn: str) -> str:
    """Return the name of a log group from its ARN, which may end with `:*`."""
    return arn.partition(":log-group:")[2].removesuffix(":*")


def _reason(error: Exception) -> str:
    code = error_code(error)
    return f"{code}: {error}" if code else f"{type(error).__name__}: {error}"
