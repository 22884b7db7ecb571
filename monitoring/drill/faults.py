"""The table of faults: injected faults, simulated faults, and days without a fault."""

from monitoring.drill.fault import Fault
from monitoring.drill.injected import INJECTED, ORDINARY
from monitoring.drill.simulated import SIMULATED
from monitoring.errors import InputError
from monitoring.query.errors import nearest

FAULTS: tuple[Fault, ...] = (*INJECTED, *SIMULATED)
CONTROLS: tuple[Fault, ...] = ORDINARY
ALL = (*FAULTS, *CONTROLS)


def chosen(names: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return the faults with these names, or all if no name is given.

    Raises:
        InputError: a name is not a fault; the hint has the most similar name.
    """
    faults = {fault.name: fault for fault in ALL}
    for name in names:
        if name not in faults:
            similar = nearest(name, list(faults))
            hint = f"did you mean {similar}?" if similar else "stepscope drill --list names them all"
            raise InputError(f"there is no fault {name!r}", hint=hint)
    return tuple(faults[name] for name in dict.fromkeys(names)) if names else ALL
