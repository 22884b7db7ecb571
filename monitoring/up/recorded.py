"""Record the metrics of what is up in the project's catalogue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.resources.own_metrics import catalogue_path, record_metrics
from monitoring.resources.recording import Recording


@dataclass(slots=True)
class MetricsRecord:
    """Adds what functions emit to `stepscope.metrics.toml`.

    Args:
        project: the project's folder.
        aws: where the functions run.
        say: takes sentences for the terminal.
    """

    project: Path
    aws: LocalAws
    say: Callable[[str], None]
    _recording: Recording = field(default_factory=Recording)
    _events: int = 0
    _told: str = ""

    @property
    def _path(self) -> Path:
        return catalogue_path(self.project.resolve())

    def look(self) -> None:
        """Record what is new; a catalogue that cannot be merged is told once, and again by `end`."""
        try:
            self.end()
        except InputError as error:
            if str(error) != self._told:
                self._told = str(error)
                self.say(f"not recorded: {error}")

    def end(self) -> None:
        """Record what is new.

        Raises:
            InputError: the catalogue cannot be read, merged or written.
        """
        events = self.aws.log_events()
        self._recording.add_events(events[self._events :])
        self._events = len(events)
        seen = self._recording.catalogue(self._path)
        if record_metrics(self._path, seen):
            self.say(f"recorded the metrics that functions emit in {self._path.name}")
