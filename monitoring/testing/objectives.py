"""Evaluate the SLOs that monitors alert on: those of a test's case, or those of the project's slos/."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor, parsed
from monitoring.monitor.evaluation import Data, Objective, Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.query import SloMonitor
from monitoring.testing.project import Folder, load_monitor
from monitoring.testing.references import metrics_of

if TYPE_CHECKING:
    from monitoring.slo.definition import Slo

_KEY = r"[\w.-]+(?:\[[\w.-]+\])?"
_NAME = re.compile(rf"\$\{{slo:(?P<key>{_KEY})\}}|(?P<id>{_KEY})")


@dataclass(frozen=True, slots=True)
class Objectives:
    """Evaluate the SLOs that the monitors of `folder` alert on.

    `setting`: how an SLO's own monitors are evaluated. `bodies`: SLOs by key, before those of slos/.
    `members`: the monitors (key or body) that an SLO names by number. `where`: what an error names.
    """

    folder: Folder
    setting: Setting
    bodies: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""

    def of(self, monitors: Sequence[Monitor]) -> dict[str, Objective]:
        """Return what evaluates each SLO of the monitors, by its name in a query; an unknown one is left out.

        Raises:
            InputError: an SLO cannot be read.
        """
        return {name: self._objective(slo) for name, slo in self._slos(monitors)}

    def metrics(self, monitors: Sequence[Monitor]) -> set[str]:
        """Return the metrics that the SLOs of the monitors look at, through their own monitors too.

        Raises:
            InputError: an SLO, or a monitor of one, cannot be read.
        """
        names: set[str] = set()
        for _, slo in self._slos(monitors):
            from monitoring.slo.queries import metrics_of_slo  # few monitors are about an SLO

            names |= metrics_of_slo(slo)
            for number in slo.monitor_ids:
                member = self._member(slo, number)
                names |= set(metrics_of(member)) if member else set()
        return names

    def _slos(self, monitors: Sequence[Monitor]) -> "Iterator[tuple[str, Slo]]":
        nodes = (parsed(monitor.query) for monitor in monitors)
        for name in dict.fromkeys(node.slo for node in nodes if isinstance(node, SloMonitor)):
            from monitoring.slo.definition import Slo  # few monitors are about an SLO

            body = self._body(name)
            if body is not None:
                yield name, Slo.from_body(body, name)

    def _objective(self, slo: "Slo") -> Objective:
        from monitoring.slo.alerts import alert_values

        def evaluated(node: SloMonitor, data: Data, times: Any) -> Any:
            def history(number: int, start: int, end: int) -> History | None:
                monitor = self._member(slo, number)
                setting = replace(self.setting, phase=start)
                return evaluate_monitor(monitor, data, start, end, setting) if monitor else None

            return alert_values(slo, node, data.series, times, history)

        return evaluated

    def _member(self, slo: "Slo", number: int) -> Monitor | None:
        key = slo.members.get(number) or self.members.get(str(number))
        return None if key is None else load_monitor(key, self.folder).monitor

    def _body(self, name: str) -> Mapping[str, Any] | None:
        match = _NAME.fullmatch(name)
        key = (match["key"] or match["id"]) if match else name
        body = self.bodies.get(key)
        if isinstance(body, Mapping):
            return body
        if body is not None:
            hint = "write its body as the API has it"
            raise InputError(f"slos: {key} is not an SLO", where=self.where, hint=hint)
        return self.folder.slo(key) if match else None  # an id of another form names no file
