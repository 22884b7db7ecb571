"""The pages of large executions: 500 states with 5,000 spans, and a Map of 10,000 items; against reading their spans."""

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
from measure import is_quick, timed

from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store

ARN = "arn:aws:states:us-east-1:123456789012:execution:large:{}"
Span = dict[str, Any]


def span(trace: int, number: int, name: str, resource: str, at: float, parent: int = 0, **more: Any) -> Span:
    """Return a span of one second, `at` seconds after the start."""
    meta = {"executionarn": ARN.format(trace), "status": "succeeded", "state": resource, "statetype": "Task"}
    return {
        "trace_id": f"{trace:016x}",
        "span_id": f"{trace:08x}{number:08x}",
        "parent_id": f"{trace:08x}{parent:08x}" if parent else "0" * 16,
        "name": name,
        "service": "large",
        "resource": resource,
        "start": (int(time.time()) - 3600) * 10**9 + int(at * 10**9),
        "duration": 10**9,
        "error": 0,
        "meta": meta if name.startswith("aws.stepfunctions") else {},
        "metrics": {},
        **more,
    }


def states(count: int, calls: int) -> Iterator[Span]:
    """Yield an execution of states one after the other, each with calls inside."""
    yield span(1, 1, "aws.stepfunctions", "large", 0, duration=count * 10**9)
    for at in range(count):
        yield span(1, 10 + at, "aws.stepfunctions.state", f"State{at}", at, 1)
        for call in range(calls):
            yield span(1, 10**6 + at * calls + call, "dynamodb.get_item", f"table{call}", at, 10 + at)


def items(count: int) -> Iterator[Span]:
    """Yield an execution with a Map over so many items."""
    yield span(2, 1, "aws.stepfunctions", "large", 0)
    yield span(2, 2, "aws.stepfunctions.state", "Resize", 0, 1)
    for at in range(count):
        yield span(
            2, 10 + at, "aws.stepfunctions.iteration", "Resize", 0, 2, metrics={"map_index": float(at)}
        )


def main() -> None:
    """Print the table."""
    quick = is_quick(__doc__)
    size, rounds = (10, 1) if quick else (500, 5)
    with Store.open() as store:
        store.add_spans(states(size, 9))
        store.add_spans(items(20 * size))
        app = create_app(store, routes=page_routes(store))

        def get(path: str) -> str:
            async def asked() -> httpx.Response:
                transport = httpx.ASGITransport(app=app)
                async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                    return await client.get(path)

            answer = asyncio.run(asked())
            assert answer.status_code == 200, answer.text
            return answer.text

        print(f"{'page':28} {'seconds':>8} {'/ reading':>9} {'elements':>9}")
        for trace, name in ((1, f"{size} states, {10 * size:,} spans"), (2, f"a Map of {20 * size:,} items")):
            key = f"{trace:016x}"
            reading = timed(lambda key=key: store.spans(trace_id=key), rounds).clock
            text = get(f"/executions/{key}")
            page = timed(lambda key=key: get(f"/executions/{key}"), rounds).clock
            elements = len(re.findall(r"<[a-z]", text))
            print(f"{name:28} {page:8.3f} {page / reading:8.1f}x {elements:9,}")


if __name__ == "__main__":
    main()
