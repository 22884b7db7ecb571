"""Remember across payloads which facts were counted, and the invocations of log streams."""

from collections.abc import Hashable

_LIMIT = 10_000
_INVOCATIONS = 16  # per log stream; a Managed Instance runs several at a time
_LATE = 100  # milliseconds after its end in which a log may still belong to an invocation


class Stream:
    """The latest invocations of a log stream, to find that of a line without a request id."""

    __slots__ = ("_invocations", "pending", "resolved")

    def __init__(self) -> None:
        self._invocations: dict[str, tuple[int, int]] = {}  # request id -> start and end in milliseconds
        self.pending: list[str] = []  # keys of lines about an invocation whose request id is not known yet
        self.resolved: dict[str, str] = {}  # key of a line -> the request id that it was assigned to

    def started(self, request: str, time: int) -> None:
        """Add an invocation as the latest; `time` is 0 if its start is unknown."""
        known = self._invocations
        end = known.pop(request)[1] if request in known else 0
        known[request] = (time, end)
        if len(known) > 2 * _INVOCATIONS:
            for old in list(known)[:_INVOCATIONS]:
                del known[old]

    def heard(self, request: str) -> None:
        """Add an invocation of which a line without its start time was read."""
        if request not in self._invocations:
            self.started(request, 0)

    def ended(self, request: str, time: int) -> None:
        """Set the end of an invocation."""
        known = self._invocations.get(request)
        if known is None:
            self.started(request, 0)
        self._invocations[request] = (known[0] if known else 0, time)

    def at(self, time: int) -> str:
        """Return the request id of the latest invocation that ran at a time, "" for none."""
        for request, (start, end) in reversed(self._invocations.items()):
            if start <= time and (not end or time <= end + _LATE):
                return request
        return ""


class Memory:
    """Remember the line that reported a fact first; if there are too many, the oldest are dropped.

    A fact is new again for the line that reported it first, because a payload that is delivered again must
    have the same points: the first attempt may have failed. `unit` is the identity of the current delivery; a
    line is identified by its number and its unit. `extended` are the functions with Datadog's extension.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._seen: dict[Hashable, str] = {}
        self._streams: dict[str, Stream] = {}
        self._limit = limit
        self.unit = ""
        self.extended: set[str] = set()

    def first(self, fact: Hashable, place: str) -> bool:
        """Return whether the fact is new, or was first reported by the same line."""
        first_place = self._seen.setdefault(fact, place)
        if len(self._seen) > self._limit:
            del self._seen[next(iter(self._seen))]
        return first_place == place

    def knows(self, fact: Hashable) -> bool:
        """Return whether the fact was reported."""
        return fact in self._seen

    def stream(self, name: str) -> Stream:
        """Return the invocations of a log stream."""
        stream = self._streams.pop(name) if name in self._streams else Stream()
        self._streams[name] = stream
        if len(self._streams) > self._limit:
            del self._streams[next(iter(self._streams))]
        return stream
