"""Sends what the spool holds: one entry at a time, and only then deletes it."""

import hashlib
import json
from collections.abc import Callable

from monitoring.forwarder.pieces import Rest, Spooled
from monitoring.forwarder.sender import Sender
from monitoring.forwarder.spool import REST, Entry, Result, Spool, SqsSpool, read_entry


def rest_entry(rest: Rest) -> Entry:
    """Return the spool entry of what is left of an object."""
    text = json.dumps(rest).encode()
    return Entry(REST, text, "identity", hashlib.sha256(text).hexdigest(), "time is up")


def read_rest(entry: Entry) -> Rest:
    """Read what is left of an object from its entry."""
    return Rest(*json.loads(entry.wire))


def redrive(spool: Spool | None, send: Callable[[Entry], bool], sender: Sender) -> None:
    """Send the entries of the spool, the oldest first.

    Ends at the first entry that fails because Datadog cannot be reached: the others would fail alike.
    """
    for entry in spool.entries() if spool is not None else ():
        if not sender.time_left() or (not send(entry) and sender.down):
            break


def settle(spool: Spool | None, sender: Sender, entry: Entry, attempts: int, result: Result) -> bool:
    """Delete a sent entry, or move one refused too often to the dead letters; return whether it was sent.

    An outage, however long, moves nothing to the dead letters: only a refusal does.
    """
    tally = sender.tally
    if result == "sent":
        tally.counts["redriven"] += 1
        if spool is not None:
            spool.delete(entry)
    else:
        dead = result == "refused" and entry.attempts + 1 >= attempts
        if spool is not None:
            spool.failed(entry, dead)
        if dead:
            tally.counts["dead"] += 1
            text = f"an entry of the spool failed {entry.attempts + 1} times and is dead: {entry.reason}"
            tally.error(text)
    return result == "sent"


def read_spooled(spool: Spool | None, piece: Spooled) -> Entry:
    """Return the entry of a message that Lambda's own poller brought.

    Raises:
        ValueError: the message is no entry.
    """
    if isinstance(spool, SqsSpool):
        message = {"Body": piece.body, "ReceiptHandle": piece.receipt}
        return spool.message(message | {"Attributes": {"ApproximateReceiveCount": str(piece.received)}})
    return read_entry(piece.body, piece.receipt)
