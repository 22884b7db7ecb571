"""retry-jitter: retries that all come at the same moment."""

from collections.abc import Iterator, Mapping

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, TemplateProblem
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule(
    "retry-jitter", "warning", "A Retry without jitter: what failed together comes back together.", TEMPLATE
)


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each retrier that retries and does not say how its delay is spread."""
    for machine in application.machines:
        for state in machine.states():
            retriers = state.body.get("Retry")
            for index, retrier in enumerate(retriers if isinstance(retriers, list) else ()):
                if not isinstance(retrier, Mapping) or "JitterStrategy" in retrier:
                    continue
                if retrier.get("MaxAttempts") == 0:
                    continue
                spot = machine.spot.below(*state.pointer, "Retry", index)
                message = f'{state.name} retries without jitter. Add "JitterStrategy": "FULL"'
                yield TemplateProblem(spot, message, spot.insertion("JitterStrategy", "FULL"))
