"""Define rules, what they see of a file, and their findings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from monitoring.lint.recorded import catalogue_of
from monitoring.query import Metric, MonitorQuery, Query, QueryError, walk
from monitoring.resources import parsed
from monitoring.resources.catalogue import is_known_family
from monitoring.resources.document import Document, Pointer
from monitoring.resources.own_metrics import OwnMetrics
from monitoring.resources.resource import Resource
from monitoring.resources.schema import Fault, faults
from monitoring.resources.sites import (
    METRIC_MONITORS,
    QuerySite,
    Widget,
    slo_sites,
    variable_sites,
    widget_sites,
    widgets,
)

Severity = Literal["error", "warning"]


class Refusal(NamedTuple):
    """Hold the words in which a file was refused, and where that is recorded.

    Args:
        words: the text of the answer; `…` stands for the part that differs from file to file.
        source: recordings of an API client, an issue that quotes the answer, or the command that refuses.
    """

    words: str
    source: str


class Rule(NamedTuple):
    """A rule.

    Args:
        code: what reports and docs call it.
        severity: error only for what was recorded to be refused; warning, where the file does something else
            than its author probably thinks.
        summary: what it finds, in a sentence.
        kinds: the kinds of resource that it looks at; empty for all.
        refusals: what a finding of severity error rests on; a rule without any has warnings only.
    """

    code: str
    severity: Severity
    summary: str
    kinds: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


RECORDED = "recordings of Datadog's API clients"
"""Answers of the API that the tests of its public clients and of its Terraform provider have recorded."""
TERRAFORM = "DataDog/terraform-provider-datadog#"
"""Issues of that repository quote the API's answers."""


class Edit(NamedTuple):
    """A replacement of `text[start:end]` of a file."""

    start: int
    end: int
    text: str


class Problem(NamedTuple):
    """One thing that a rule found.

    Args:
        pointer: the value that it is about.
        message: what is wrong, and what to do.
        start: where in the string at the pointer; None means the whole value.
        end: where it ends in that string.
        on_key: the place is the key and not its value.
        fix: the value to put there instead, where that is safe; of a place in a string, the text.
        severity: where it is not the rule's own.
        case: a monitor test, as YAML, that shows what the message says.
    """

    pointer: Pointer
    message: str
    start: int | None = None
    end: int | None = None
    on_key: bool = False
    fix: Any = None
    severity: Severity | None = None
    case: str = ""


class Finding(NamedTuple):
    """One line of a report: places count from 1, `end_column` is behind the last character."""

    rule: str
    severity: Severity
    path: str
    line: int
    column: int
    message: str
    end_line: int
    end_column: int
    pointer: str = ""
    fix: Edit | None = None
    case: str = ""


REMOVE = object()
"""As a fix: the key and its value go."""


class ReadQuery(NamedTuple):
    """A query or formula of a dashboard with its nodes, or with the error that it has instead."""

    site: QuerySite
    query: Query | None
    error: QueryError | None

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the query."""
        if isinstance(self.query, Metric):
            yield self.query
        elif self.query is not None and not self.site.formula:
            yield from (node for node in walk(self.query) if isinstance(node, Metric))


_SITES = {"monitor": variable_sites, "slo": slo_sites}


@dataclass(eq=False)
class Subject:
    """A file as the rules see it: the resource in it, its queries read, its widgets listed."""

    document: Document
    resource: Resource

    @cached_property
    def faults(self) -> list[Fault]:
        """Return what the schema refuses."""
        return list(faults(self.resource.kind, self.body))

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the file."""
        return self.resource.body

    @cached_property
    def widgets(self) -> list[Widget]:
        """The widgets of a dashboard, nested ones too."""
        return list(widgets(self.body)) if self.resource.kind == "dashboard" else []

    @cached_property
    def queries(self) -> list[ReadQuery]:
        """The metric queries and formulas of a dashboard, of an SLO, or of a monitor's variables."""
        find = _SITES.get(self.resource.kind)
        sites = find(self.body) if find else widget_sites(self.widgets)
        return [ReadQuery(site, *parsed.query(site.text)) for site in sites]

    @cached_property
    def monitor(self) -> tuple[MonitorQuery | None, QueryError | None]:
        """The query of a monitor, or the error that it has."""
        text = self.body.get("query")
        if self.resource.kind != "monitor" or not isinstance(text, str):
            return None, None
        return parsed.monitor(text)

    @property
    def metric_monitor(self) -> bool:
        """Return whether the query asks for metrics."""
        return self.body.get("type") in METRIC_MONITORS

    @property
    def options(self) -> Mapping[str, Any]:
        """A monitor's options."""
        value = self.body.get("options")
        return value if isinstance(value, dict) else {}

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The thresholds of a monitor that are numbers."""
        thresholds = self.options.get("thresholds")
        items = thresholds.items() if isinstance(thresholds, dict) else ()
        return {key: value for key, value in items if isinstance(value, int | float)}

    @cached_property
    def metrics(self) -> list[tuple[Pointer, str, Metric]]:
        """Every metric that the file asks for, with the string that it stands in and the way to that."""
        sites = [
            (read.site.pointer, read.site.text, metric) for read in self.queries for metric in read.metrics()
        ]
        query = getattr(self.monitor[0], "query", None)
        if query is not None:
            text = self.body["query"]
            sites += [(("query",), text, node) for node in walk(query) if isinstance(node, Metric)]
        return sites

    @cached_property
    def own_metrics(self) -> OwnMetrics | None:
        """The catalogue of the project's own metrics; None where it has none."""
        return catalogue_of(Path(self.document.source).resolve().parent)

    @cached_property
    def aws_metrics(self) -> list[tuple[Pointer, str, Metric]]:
        """Those of Lambda and Step Functions."""
        return [metric for metric in self.metrics if is_known_family(metric[2].name)]
