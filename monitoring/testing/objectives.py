"""The SLOs that the monitors of a test alert on: of the case, or of the project's slos/."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor, parsed
from monitoring.monitor.evaluation import Data, Objective, Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.switches import switches_of
from monitoring.query import SloMonitor
from monitoring.resources.files import read_resource
from monitoring.testing.project import Folder, load_monitor

if TYPE_CHECKING:
    from monitoring.testing.cases import Case

_NAME = re.compile(r"\$\{slo:([\w.-]+(?:\[[\w.-]+\])?)\}\Z")


def objectives(case: "Case", folder: Folder, monitors: Sequence[Monitor]) -> dict[str, Objective]:
    """Return what evaluates each SLO, by its name in a query; one that is not known is left out.

    Raises:
        InputError: an SLO cannot be read.
    """
    nodes = (parsed(monitor.query) for monitor in monitors)
    slos: dict[str, Objective] = {}
    for name in {node.slo for node in nodes if isinstance(node, SloMonitor)}:
        body = _body(case, folder, name)
        if body is not None:
            slos[name] = _objective(case, folder, body, name)
    return slos


def _objective(case: "Case", folder: Folder, body: Mapping[str, Any], name: str) -> Objective:
    from monitoring.slo.alerts import alert_values  # few monitors are about an SLO
    from monitoring.slo.definition import Slo

    slo = Slo.from_body(body, name)
    setting = Setting(switches_of(dict(case.switches)), case.stand_in, known_groups=True, texts=False)

    def evaluated(node: SloMonitor, data: Data, times: Any) -> Any:
        def history(number: int, start: int, end: int) -> History | None:
            key = slo.members.get(number) or case.members.get(str(number))
            if key is None:
                return None
            monitor = load_monitor(key, folder).monitor
            return evaluate_monitor(monitor, data, start, end, replace(setting, phase=start))

        return alert_values(slo, node, data.series, times, history)

    return evaluated


def _body(case: "Case", folder: Folder, name: str) -> Mapping[str, Any] | None:
    reference = _NAME.match(name)
    key = reference[1] if reference else name
    body = case.slos.get(key)
    if isinstance(body, Mapping):
        return body
    if body is not None:
        raise InputError(
            f"slos: {key} is not an SLO", where=str(case.place), hint="write its body as the API has it"
        )
    path = folder.path.resolve().parent / "slos" / f"{key}.json"
    return read_resource(path, "slo").body if path.is_file() else None
