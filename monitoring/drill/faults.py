"""The table of faults: those that are injected, those that are simulated, and ordinary days."""

from monitoring.drill.fault import Fault
from monitoring.drill.injected import INJECTED, ORDINARY
from monitoring.drill.simulated import SIMULATED
from monitoring.errors import InputError
from monitoring.query.errors import nearest

FAULTS: tuple[Fault, ...] = (*INJECTED, *SIMULATED)
CONTROLS: tuple[Fault, ...] = ORDINARY
ALL = (*FAULTS, *CONTROLS)


def chosen(names: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return the faults of these names, all of them where none is named.

    Raises:
        InputError: there is no such fault; the nearest name is the hint.
    """
    known = {fault.name: fault for fault in ALL}
    for name in names:
        if name not in known:
            near = nearest(name, list(known))
            hint = f"did you mean {near}?" if near else "stepscope drill --list names them all"
            raise InputError(f"there is no fault {name!r}", hint=hint)
    return tuple(known[name] for name in dict.fromkeys(names)) if names else ALL
