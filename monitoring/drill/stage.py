"""Start the embedded AWS and Datadog, and the forwarders that all lanes share."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitoring.drill.trouble import Trouble
from monitoring.local_aws import LocalAws
from monitoring.local_datadog import LocalDatadog

FORWARDER = "drill-forwarder"
"""The forwarder of functions' logs; the forwarder of state machines' logs is `drill-forwarder-states`."""
SPEED = 50.0
"""The factor by which state machine time runs faster while no handler works."""
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """The services of all lanes; `unified` are variables of every function, `home` is a folder."""

    aws: LocalAws
    datadog: LocalDatadog
    unified: Mapping[str, str]
    home: Path
    exits: contextlib.ExitStack

    def troubled(self) -> Trouble:
        """Start a proxy of the local Datadog that can reject requests; it ends with the drill."""
        return self.exits.enter_context(Trouble(self.datadog.url))

    def deploy_forwarder(self, name: str, url: str = "", **settings: str) -> None:
        """Deploy a forwarder that sends to the embedded Datadog or to another `url`."""
        variables = {
            "DD_URL": url or self.datadog.url,
            "DD_API_KEY": "drill",
            **{name: self.unified[name] for name in ("DD_ENV", "DD_TAGS")},
            "MONITORING_LOG_PLATFORM": "true",
            **settings,
        }
        self.aws.deploy_function(
            name,
            handler="monitoring.forwarder.handler",
            timeout=30,
            memory=512,
            environment=variables,
            check=False,
        )


@contextlib.contextmanager
def set_up(env: str, database: Path | None = None, tags: tuple[str, ...] = ()) -> Iterator[Stage]:
    """Start all services; at the end of the block stop them and keep only the database.

    Raises:
        InputError: the database cannot be used.
    """
    with contextlib.ExitStack() as exits:
        datadog = exits.enter_context(LocalDatadog(database))
        home = Path(tempfile.mkdtemp(prefix="stepscope-drill-"))
        exits.callback(shutil.rmtree, home, ignore_errors=True)
        aws = exits.enter_context(LocalAws(home, speed=SPEED, max_workers=_WORKERS))
        unified = {"DD_ENV": env, "DD_SERVICE": "orders", "DD_TAGS": ",".join(tags)}
        stage = Stage(aws, datadog, unified, home, exits)
        stage.deploy_forwarder(FORWARDER)
        stage.deploy_forwarder(f"{FORWARDER}-states")
        yield stage
