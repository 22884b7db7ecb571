"""Record the metrics that the running functions emit in the project's catalogue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.resources.own_metrics import catalogue_path, record_metrics
from monitoring.resources.recording import Recording


@dataclass(slots=True)
class MetricsRecord:
    """Add the metrics and tags that functions emit to `stepscope.metrics.toml`.

    Args:
        project: the project's folder.
        aws: the local AWS on which the functions run.
        say: prints a line on the terminal.
    """

    project: Path
    aws: LocalAws
    say: Callable[[str], None]
    _recording: Recording = field(default_factory=Recording)
    _events: int = 0
    _reported: str = ""

    @property
    def _path(self) -> Path:
        return catalogue_path(self.project.resolve())

    def look(self) -> None:
        """Record new metrics; an error is printed once here, and raised by `end`."""
        try:
            self.end()
        except InputError as error:
            if str(error) != self._reported:
                self._reported = str(error)
                self.say(f"not recorded: {error}")

    def end(self) -> None:
        """Record new metrics.

        Raises:
            InputError: the catalogue cannot be read, merged or written.
        """
        events = self.aws.log_events()
        self._recording.add_events(events[self._events :])
        self._events = len(events)
        emitted = self._recording.catalogue(self._path)
        if record_metrics(self._path, emitted):
            self.say(f"recorded the metrics that functions emit in {self._path.name}")
