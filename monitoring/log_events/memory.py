"""Remember across payloads: facts that two lines state, and a stream's invocations."""

from collections.abc import Hashable

_LIMIT = 10_000
_INVOCATIONS = 16  # of one log stream: its environment runs one at a time, or a few as a Managed Instance
_LATE = 100  # milliseconds: what an invocation prints may be stamped after its end


class Stream:
    """The latest invocations of one log stream, so that a line without a request id finds its own."""

    __slots__ = ("_invocations", "pending", "resolved")

    def __init__(self) -> None:
        self._invocations: dict[str, tuple[int, int]] = {}  # request id -> start and end in milliseconds
        self.pending: list[str] = []  # places of lines that told of an invocation not heard of yet
        self.resolved: dict[str, str] = {}  # place of a line -> the request id that it was told of

    def started(self, request: str, time: int) -> None:
        """Remember an invocation as the latest; time 0 where its start was not heard."""
        known = self._invocations
        end = known.pop(request)[1] if request in known else 0
        known[request] = (time, end)
        if len(known) > 2 * _INVOCATIONS:
            for old in list(known)[:_INVOCATIONS]:
                del known[old]

    def heard(self, request: str) -> None:
        """Remember an invocation of which a line was heard that does not say when it began."""
        if request not in self._invocations:
            self.started(request, 0)

    def ended(self, request: str, time: int) -> None:
        """Remember when an invocation ended."""
        known = self._invocations.get(request)
        if known is None:
            self.started(request, 0)
        self._invocations[request] = (known[0] if known else 0, time)

    def at(self, time: int) -> str:
        """Return the invocation that ran at a time, the latest of several; empty for none."""
        for request, (start, end) in reversed(self._invocations.items()):
            if start <= time and (not end or time <= end + _LATE):
                return request
        return ""


class Memory:
    """Remembers where a fact was seen first; bounded, the oldest goes first.

    A fact counts again for the place that counted it: a payload that is delivered again has to give the same
    points again, because the first attempt may not have arrived. `unit` is the delivery that is being read: a
    place is a line of a unit. `extended` holds the functions that have Datadog's extension.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._seen: dict[Hashable, str] = {}
        self._streams: dict[str, Stream] = {}
        self._limit = limit
        self.unit = ""
        self.extended: set[str] = set()

    def first(self, fact: Hashable, place: str) -> bool:
        """Return whether the fact is new, or was first seen at this very place."""
        known = self._seen.setdefault(fact, place)
        if len(self._seen) > self._limit:
            del self._seen[next(iter(self._seen))]
        return known == place

    def knows(self, fact: Hashable) -> bool:
        """Return whether the fact was seen."""
        return fact in self._seen

    def stream(self, name: str) -> Stream:
        """Return what is remembered of a log stream."""
        kept = self._streams.pop(name) if name in self._streams else Stream()
        self._streams[name] = kept
        if len(self._streams) > self._limit:
            del self._streams[next(iter(self._streams))]
        return kept
