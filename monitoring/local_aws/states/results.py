"""ResultWriter: the results of a Distributed Map in S3, as files and a manifest, or transformed."""

from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import StateFailedError
from monitoring.local_aws.states.interpreter import StateRun
from monitoring.local_aws.states.resources import TaskResource
from monitoring.local_aws.states.sdk import known_call, request_of

_GROUPS = {"SUCCEEDED": "SUCCEEDED", "FAILED": "FAILED", "TIMED_OUT": "FAILED"}


async def write_results(run: StateRun, this: Any, value: Any) -> Any:
    """Return the result of the Map: where its results lie in S3, or the transformed results.

    Raises:
        StateFailedError: they cannot be written.
    """
    writer = run.fields["ResultWriter"]
    config = writer.get("WriterConfig") or {}
    if "Resource" not in writer:
        return transformed([child for child in this.children if child.status == "SUCCEEDED"], config)
    if run.state.jsonata:
        target = run.query.evaluate(writer.get("Arguments", {}), "ResultWriter/Arguments")
    else:
        target = run.query.template(writer.get("Parameters", {}), value)
    prefix = "/".join(part for part in (str(target.get("Prefix") or "").rstrip("/"), this.name) if part)
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    lines = config.get("OutputType") == "JSONL"
    for group in ("SUCCEEDED", "FAILED"):
        children = [child for child in this.children if _GROUPS.get(child.status) == group]
        if not children:
            continue
        rows = transformed(children, config if group == "SUCCEEDED" else {})
        body = "\n".join(map(text.dumps, rows)) if lines else text.dumps(rows)
        key = f"{prefix}/{group}_0.{'jsonl' if lines else 'json'}"
        await _put(run, target, key, body)
        files[group].append({"Key": key, "Size": len(body.encode())})
        this.written += len(children)
    manifest = {"DestinationBucket": target.get("Bucket"), "MapRunArn": this.arn, "ResultFiles": files}
    await _put(run, target, f"{prefix}/manifest.json", text.dumps(manifest))
    return {
        "MapRunArn": this.arn,
        "ResultWriterDetails": {"Bucket": target.get("Bucket"), "Key": f"{prefix}/manifest.json"},
    }


def transformed(children: list[Any], config: dict[str, Any]) -> list[Any]:
    """Return results as WriterConfig's Transformation says: NONE, COMPACT or FLATTEN."""
    kind = config.get("Transformation", "NONE")
    if kind == "NONE":
        return [described(child) for child in children]
    outputs = [child.output for child in children]
    if kind == "COMPACT":
        return outputs
    return [inner for output in outputs for inner in (output if isinstance(output, list) else [output])]


def described(child: Any) -> dict[str, Any]:
    """Return a child execution as the files of results have it."""
    kept = child.describe()
    described = {
        "ExecutionArn": child.arn,
        "Input": kept["input"],
        "InputDetails": {"Included": True},
        "Name": kept["name"],
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE" if child.status == "SUCCEEDED" else "REDRIVABLE",
        "StartDate": text.iso_instant(kept["startDate"]),
        "StateMachineArn": kept["stateMachineArn"],
        "Status": child.status,
        "StopDate": text.iso_instant(kept["stopDate"]),
    }
    details = {"Output": kept.get("output"), "Error": kept.get("error"), "Cause": kept.get("cause")}
    if kept.get("output") is not None:
        details["OutputDetails"] = {"Included": True}
    return {**described, **{key: value for key, value in details.items() if value is not None}}


async def _put(run: StateRun, target: dict[str, Any], key: str, body: str) -> None:
    call = known_call(TaskResource("sdk", "", "s3", "putObject"))
    request = request_of(call, {"Bucket": target.get("Bucket"), "Key": key, "Body": body})
    try:
        await run.execution.service.call(call, request)
    except StateFailedError as failed:
        raise StateFailedError("States.ResultWriterFailed", failed.cause) from None
