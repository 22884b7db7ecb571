"""Copy the definitions of state machines from the embedded AWS to the embedded Datadog."""

import json

from monitoring.local_aws import LocalAws
from monitoring.store import Store
from monitoring.store.definitions import record_definition


def record_definitions(aws: LocalAws, store: Store) -> None:
    """Store the definition of every deployed state machine."""
    for machine in aws.host.answer_states("ListStateMachines", {})["stateMachines"]:
        described = aws.host.answer_states(
            "DescribeStateMachine", {"stateMachineArn": machine["stateMachineArn"]}
        )
        record_definition(store, str(machine["name"]), json.loads(described["definition"]))
