"""Record the definitions of what the embedded AWS runs in the embedded Datadog."""

import json

from monitoring.local_aws import LocalAws
from monitoring.store import Store
from monitoring.store.definitions import record_definition


def record_definitions(aws: LocalAws, store: Store) -> None:
    """Keep the definition of every deployed state machine, as it was deployed."""
    for machine in aws.host.answer_states("ListStateMachines", {})["stateMachines"]:
        described = aws.host.answer_states(
            "DescribeStateMachine", {"stateMachineArn": machine["stateMachineArn"]}
        )
        record_definition(store, str(machine["name"]), json.loads(described["definition"]))
