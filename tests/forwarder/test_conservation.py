"""Everything that is read is with Datadog, in the spool, or counted as refused or excluded: whatever happens.

A generated case is some deliveries of lines, equal ones and rotations among them, over any road; any cut into
batches; an intake that fails; processes that are killed between any two steps; retries, redrives and invocations
at the same time. STEPSCOPE_CASES=10000 tries so many of them.
"""

import io
import json
import os
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from intake_server import Intake, Received, running
from intake_server import _decoded as decoded
from roads import NOW, ROADS, Bucket, forwarder, stored

from monitoring.cli import main
from monitoring.forwarder import batches, bodies, rows
from monitoring.forwarder import forwarder as invocation
from monitoring.forwarder.digests import InDynamoDb, InMemory
from monitoring.forwarder.sender import UndeliveredError

CASES = int(os.environ.get("STEPSCOPE_CASES", "0"))
GENERATED = settings(
    max_examples=CASES or 250,
    deadline=None,
    derandomize=not CASES,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _span(name):
    span = {
        "trace_id": "0fa1b2c3d4e5f607", "span_id": "00000000000000aa", "parent_id": "0" * 16, "service": "s",
        "resource": name, "name": "n", "error": 0, "start": NOW * 10**9, "duration": 1, "meta": {}, "metrics": {},
        "type": "",
    }  # fmt: skip
    return json.dumps({"traces": [[span]]})


LINES = {  # a line, and what the intake has to hold because of it
    f"MONITORING|{NOW}|1|count|law.line|#zone:a": [("points", "law.line", "zone:a")],
    f"MONITORING|{NOW}|1|count|law.line|#zone:b": [("points", "law.line", "zone:b")],
    f"MONITORING|{NOW - 5}|1|count|law.line|#zone:a": [("points", "law.line", "zone:a")],
    f'{{"m":"law.json","v":1,"e":{NOW},"t":["zone:c"]}}': [("points", "law.json", "zone:c")],
    "a line of a library": [("logs", "a line of a library", "")],
    "another line, " + "as long as lines can be " * 20: [
        ("logs", ("another line, " + "as long as lines can be " * 20).strip(), "")
    ],
    "a secret that stays behind": [],
    f"MONITORING|{NOW}|12ms|count|law.broken|": [("logs", "12ms", "")],
    _span("one"): [("spans", "one", "")],
    _span("two"): [("spans", "two", "")],
}
ROUTES = {
    "distributions": "/api/v1/distribution_points", "traces": "/api/v0.2/traces", "logs": "/api/v2/logs",
}  # fmt: skip
KEPT_BACK = {"EXCLUDE_AT_MATCH": "secret that stays"}


def expected(messages):
    return Counter(item for message in messages for item in LINES[message])


runs = st.one_of(
    st.tuples(st.sampled_from(sorted(LINES)), st.integers(0, 60)).map(lambda run: [run[0]] * run[1]),
    st.tuples(st.permutations(sorted(LINES)), st.integers(0, 8)).map(lambda run: run[0] * run[1]),
    st.lists(st.sampled_from(sorted(LINES)), max_size=40),
)


@dataclass(frozen=True)
class Cut:
    """Where batches are cut: all the limits that there are."""

    flush: int
    entries: int
    log_bytes: int
    bytes: int
    samples: int
    lines: int

    @contextmanager
    def made(self):
        places = {
            (invocation, "_FLUSH"): self.flush, (batches, "LOG_ENTRIES"): self.entries,
            (batches, "LOG_BYTES"): self.log_bytes, (batches, "METRIC_BYTES"): self.bytes,
            (batches, "TRACE_BYTES"): self.bytes, (batches, "_VALUES"): self.samples, (bodies, "LINES"): self.lines,
            (rows, "LINES"): self.lines,
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            for (module, name), value in places.items():
                patch.setattr(module, name, value)
            yield


WHOLE = Cut(4000, 1000, 4_500_000, 3_000_000, 5000, 2000)
cuts = st.builds(
    Cut,
    flush=st.sampled_from([1, 3, 10, 50, 4000]),
    entries=st.sampled_from([1, 2, 7, 1000]),
    log_bytes=st.sampled_from([600, 3000, 4_500_000]),
    bytes=st.sampled_from([300, 1000, 3_000_000]),
    samples=st.sampled_from([1, 4, 5000]),
    lines=st.sampled_from([1, 5, 2000]),
)


@dataclass(frozen=True)
class Delivery:
    """Some messages on one road, and how often the service brings them although all is well."""

    road: str
    messages: list
    parts: int
    again: int


deliveries = st.builds(
    Delivery,
    road=st.sampled_from(sorted(ROADS)),
    messages=runs,
    parts=st.integers(1, 4),
    again=st.sampled_from([0, 0, 0, 1]),
)


@dataclass(frozen=True)
class Case:
    """What is delivered, and what goes wrong: `answers` of the intake in turn, `deaths` by steps survived.

    With several `cuts` each attempt cuts anew; `at_once` everything is delivered, and redriven, at the same time.
    """

    deliveries: list
    cuts: list
    answers: list
    deaths: list
    spool: bool
    table: bool
    at_once: bool


cases = st.builds(
    Case,
    deliveries=st.lists(deliveries, min_size=1, max_size=4),
    cuts=st.lists(cuts, min_size=1, max_size=2),
    answers=st.lists(st.sampled_from([202, 202, 503, 413, 413, 400, "reset", "no HTTP"]), max_size=8),
    deaths=st.lists(st.integers(0, 25), max_size=3),
    spool=st.booleans(),
    table=st.booleans(),
    at_once=st.sampled_from([False, False, True]),
)


class KilledError(BaseException):
    """The process ends here: nothing in it goes on."""


class Process:
    """Lives for so many steps, and knows what the intake took from it, noted or not, and what it spooled."""

    def __init__(self, steps):
        self.steps, self.lock = steps, threading.Lock()
        self.taken, self.noted, self.spooled, self._last = [], set(), [], threading.local()
        self._numbers = {}

    def step(self):
        with self.lock:
            self.steps -= 1
            if self.steps < 0:
                raise KilledError

    def mortal(self, inner, *names):
        """`inner` whose named methods are steps: the process may die before each and after it."""
        return _Mortal(inner, self, names)

    def saw(self, name, given, result):
        if name == "send" and 200 <= result.status < 300:
            with self.lock:
                self.taken.append(given[:3])
                self._last.number = len(self.taken) - 1
        elif name == "add":
            self._numbers[given[0]] = self._last.number
        elif name == "save":
            self.noted |= {self._numbers[digest] for digest in given[0]}
        elif name == "put":
            self.spooled.append((given[0].kind, given[0].wire, given[0].encoding))

    def window(self, table):
        """What the intake took from the dead process and nobody remembers.

        Without the table nobody will remember either that what it spooled was sent by the next process.
        """
        forgotten = [b for n, b in enumerate(self.taken) if not (table and n in self.noted)]
        forgotten += [] if table else [b for b in self.spooled if b[0] in ROUTES]
        asked = Intake()
        for kind, wire, encoding in forgotten:
            asked.received.append(Received(ROUTES[kind], {}, decoded(wire, encoding), 202))
        return stored(asked)


class _Mortal:
    def __init__(self, inner, process, names):
        self._inner, self._process, self._names = inner, process, names

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def stepped(*given, **named):
            self._process.step()
            result = found(*given, **named)
            self._process.saw(name, given, result)
            self._process.step()
            return result

        return stepped


class Table:
    """The table of digests, as many processes see it: the two calls of DynamoDB that are made."""

    def __init__(self):
        self.items = {}

    def get_item(self, TableName, Key, ConsistentRead):
        assert ConsistentRead
        item = self.items.get(Key["id"]["S"])
        return {"Item": {"batches": {"SS": sorted(item)}, "expiration": {"N": str(2**40)}}} if item else {}

    def update_item(self, TableName, Key, ExpressionAttributeValues, **_):
        self.items.setdefault(Key["id"]["S"], set()).update(ExpressionAttributeValues[":batches"]["SS"])


class Cloud:
    """What outlives a process: the bucket, the spool and the table; it starts processes and drives them on."""

    def __init__(self, intake, folder, spool, table, deaths=()):
        self.intake, self.folder, self.spool, self.table = intake, folder, spool, table
        self.bucket, self.digests = Bucket(), Table()
        self.deaths = list(deaths)
        self.window, self.summaries = Counter(), []

    def start(self):
        environ = dict(KEPT_BACK)
        if self.spool:
            environ["MONITORING_SPOOL_FOLDER"] = str(self.folder)
        job = forwarder(self.intake.url, self.bucket, **environ)
        process = Process(self.deaths.pop(0) if self.deaths else float("inf"))
        job._intake = process.mortal(job._intake, "send")
        memory = InMemory()
        if self.table:
            memory = InDynamoDb("digests", 1, lambda _: self.digests)
        job._delivered = process.mortal(memory, "add", "save")
        if job._spool is not None:
            job._spool = process.mortal(job._spool, "put", "delete", "failed")
        return job, process

    def deliver(self, event, cuts=(WHOLE,)):
        """Bring the event until it is taken, with a new process after each that died."""
        job, process = self.start()
        for number in range(60):
            try:
                with cuts[number % len(cuts)].made() if len(cuts) > 1 else nullcontext():
                    answer = job.handle(event, 60)
            except UndeliveredError:
                continue
            except KilledError:
                job.close()
                self.window += process.window(self.table)
                job, process = self.start()
                continue
            failed = {item["itemIdentifier"] for item in answer.get("batchItemFailures", ())}
            if not failed:
                job.close()
                self.summaries.append(_printed.summary)
                return
            event = {"Records": [record for record in event["Records"] if record["messageId"] in failed]}
        raise AssertionError("never taken")

    def empty_spool(self):
        for _ in range(60):
            if not list(self.folder.glob("*.json")):
                return
            self.deliver({"stepscope": "redrive"})
        raise AssertionError("never empty")


def answering(answers):
    """The intake gives the answers in turn, then only good ones; 413 and 400 not for ever, as all the others."""
    left, lock = list(answers), threading.Lock()

    def script(number, path):
        with lock:
            answer = left.pop(0) if left else 202
        return answer if isinstance(answer, str) else None if answer == 202 else (answer, {}, b"")

    return script


@pytest.fixture(scope="module")
def server():
    intake = Intake()
    with running(intake) as url:
        intake.url = url
        yield intake


_printed = threading.local()


@pytest.fixture(autouse=True)
def printed(monkeypatch):
    """The last summary of each thread is kept, not printed."""
    monkeypatch.setattr(invocation, "print_summary", lambda summary: setattr(_printed, "summary", summary))


def balanced(summary):
    """Whether the two sums of each kind are equal, and the second is the sum of its parts."""
    parts = ("sent", "known", "spooled", "excluded", "refused")
    return all(
        kind["read"] == kind["accounted"] == sum(kind.get(part, 0) for part in parts)
        for kind in summary.get("conservation", {}).values()
    )


@GENERATED
@given(case=cases)
def test_what_was_read_is_accounted_for(server, tmp_path_factory, case):
    server.received, server.script = [], answering(case.answers)
    cloud = Cloud(server, tmp_path_factory.mktemp("spool") / "s", case.spool, case.table, case.deaths)
    cuts = case.cuts[:1] if case.at_once else case.cuts
    events = {id(d): ROADS[d.road](cloud.bucket, d.messages, d.parts) for d in case.deliveries}
    jobs = [events[id(d)] for d in case.deliveries for _ in range(1 + d.again)]
    with cuts[0].made(), ThreadPoolExecutor(len(jobs) if case.at_once else 1) as pool:
        list(pool.map(lambda event: cloud.deliver(event, cuts), jobs))
        list(pool.map(lambda _: cloud.empty_spool(), range(1 + case.at_once)))
    wanted = sum((expected(d.messages) for d in case.deliveries), Counter())
    held = stored(server)
    assert not wanted - held, "lost"
    assert all(map(balanced, cloud.summaries)), "the sums of an invocation that did not fail differ"
    if not (413 in case.answers or len(cuts) > 1 or case.at_once):
        # what comes again to another process is known to it by the table alone
        again = sum((expected(d.messages) for d in case.deliveries if d.again and not case.table), Counter())
        assert not held - wanted - again - cloud.window, "more than once, and not in the window"


# Equal lines by each road: what was printed is stored


MANY = 100_000
EQUAL = f"MONITORING|{NOW}|1|count|law.line|#zone:a"


def _file(intake, messages, tmp_path):
    path = tmp_path / "function.log"
    path.write_text("".join(f"{m}\n" for m in messages))
    return command(intake, str(path))


def _stdin(intake, messages, tmp_path):
    text = io.TextIOWrapper(io.BytesIO("".join(f"{m}\n" for m in messages).encode()))
    return command(intake, "-", stdin=text)


def _redriven(intake, messages, tmp_path):
    environ = {"MONITORING_SPOOL_FOLDER": str(tmp_path / "spool"), "MONITORING_RETRY_SECONDS": "0"}
    intake.script = lambda *_: (503, {}, b"")
    job = forwarder(intake.url, **environ)
    spooled = job.handle(ROADS["direct"](None, messages, 1), 60)["conservation"]
    assert spooled == {"points": {"read": MANY, "accounted": MANY, "spooled": MANY}}
    intake.script = None
    return job.handle({"stepscope": "redrive"}, 600)


def _road(name):
    def bring(intake, messages, tmp_path):
        bucket = Bucket()
        forwarder(intake.url, bucket).handle(ROADS[name](bucket, messages, 5), 600)
        return _printed.summary

    return bring


def command(intake, *arguments, stdin=None):
    """The summary that `stepscope forward` prints, and the status that it ends with."""
    environ = {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", stdin or sys.stdin)
        patch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            main(["forward", *arguments])
    return json.loads(out.getvalue()) | {"status": ended.value.code}


WAYS = {name: _road(name) for name in ROADS} | {"file": _file, "stdin": _stdin, "redrive": _redriven}


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_thousand_equal_lines_are_stored_by_each_road(server, tmp_path, way):
    server.received, server.script = [], None
    summary = WAYS[way](server, [EQUAL] * MANY, tmp_path)
    assert stored(server) == {("points", "law.line", "zone:a"): MANY}
    assert summary["conservation"] == {"points": {"read": MANY, "accounted": MANY, "sent": MANY}}
    assert summary.get("status", 0) == 0


def test_five_zones_in_rotation_are_stored(server, tmp_path):
    server.received, server.script = [], None
    lines = [EQUAL.replace("zone:a", f"zone:{zone}") for zone in "abcde"] * (MANY // 5)
    assert _file(server, lines, tmp_path)["conservation"]["points"]["sent"] == MANY
    assert stored(server) == {("points", "law.line", f"zone:{zone}"): MANY // 5 for zone in "abcde"}


def test_equal_logs_of_one_millisecond_are_stored(server):
    server.received, server.script = [], None
    summary = _road("direct")(server, ["a line of a library"] * 10_000, None)
    assert len(server.logs()) == 10_000
    assert summary["batches"] == {"sent": 10}


def test_equal_status_changes_are_told_apart_by_their_ids(server):
    server.received, server.script = [], None
    job = forwarder(server.url)
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    detail = {
        "status": "SUCCEEDED",
        "stateMachineArn": machine,
        "startDate": NOW * 1000,
        "stopDate": NOW * 1000,
    }
    for number in (1, 2, 3, 3):
        head = {"id": f"e{number}", "detail-type": "Step Functions Execution Status Change"}
        job.handle(head | {"source": "aws.states", "detail": detail}, 30)
    assert server.values("stepscope.execution.succeeded") == [1, 1, 1]


def test_records_that_firehose_brings_again_are_known(server):
    server.received, server.script = [], None
    job, event = forwarder(server.url), ROADS["Firehose transformation"](None, [EQUAL] * 3, 2)
    for number in (1, 2):
        job.handle(event | {"invocationId": f"attempt {number}"}, 30)
    assert stored(server) == {("points", "law.line", "zone:a"): 3}


# The sums differ


def _losing(logs, place):
    return list(batches.log_batches(logs, place))[1:]


def test_an_invocation_whose_sums_differ_fails(server, monkeypatch):
    monkeypatch.setattr(invocation, "log_batches", _losing)
    server.received, server.script = [], None
    with pytest.raises(UndeliveredError, match=r"read but not accounted for: \{'logs': 1000\}"):
        forwarder(server.url).handle(ROADS["direct"](None, ["text", EQUAL] * 1500, 1), 60)
    assert _printed.summary["conservation"] == {
        "points": {"read": 1500, "accounted": 1500, "sent": 1500},
        "logs": {"read": 1500, "accounted": 500, "sent": 500},
    }


def test_a_message_whose_sums_differ_comes_again_alone(server, monkeypatch):
    monkeypatch.setattr(invocation, "log_batches", _losing)
    server.received, server.script = [], None
    event = ROADS["SQS with payloads"](None, [EQUAL] * 3 + ["text"], 2)
    answer = forwarder(server.url).handle(event, 60)
    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == [
        event["Records"][1]["messageId"]
    ]


def test_a_command_whose_sums_differ_ends_with_1(server, monkeypatch, tmp_path):
    monkeypatch.setattr(invocation, "log_batches", _losing)
    server.received, server.script = [], None
    done = _file(server, ["text"] * 3, tmp_path)
    assert (done["status"], done["conservation"]) == (1, {"logs": {"read": 3, "accounted": 0}})


def test_without_a_spool_what_failed_is_no_part_of_the_second_sum(server):
    server.received, server.script = [], lambda _, path: (400, {}, b"") if path == ROUTES["logs"] else None
    with pytest.raises(UndeliveredError):
        forwarder(server.url).handle(ROADS["direct"](None, ["text", EQUAL], 1), 60)
    assert _printed.summary["conservation"]["logs"] == {"read": 1, "accounted": 0, "failed": 1}
