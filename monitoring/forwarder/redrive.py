"""Send the entries of the spool one at a time, and delete each after it was sent."""

import hashlib
import json
from collections.abc import Callable

from monitoring.forwarder.pieces import Rest, Spooled
from monitoring.forwarder.sender import Sender
from monitoring.forwarder.spool import REST, Entry, Result, Spool, SqsSpool, read_entry


def rest_entry(rest: Rest) -> Entry:
    """Return the spool entry of the rest of an object."""
    text = json.dumps(rest).encode()
    return Entry(REST, text, "identity", hashlib.sha256(text).hexdigest(), "time is up")


def read_rest(entry: Entry) -> Rest:
    """Parse the spool entry of the rest of an object."""
    return Rest(*json.loads(entry.wire))


def redrive(spool: Spool | None, send: Callable[[Entry], bool], sender: Sender) -> None:
    """Send the entries of the spool, the oldest first.

    It stops at the first entry that fails because Datadog cannot be reached: the others would fail too.
    """
    for entry in spool.entries() if spool is not None else ():
        if not sender.time_left() or (not send(entry) and sender.down):
            break


def settle(spool: Spool | None, sender: Sender, entry: Entry, attempts: int, result: Result) -> bool:
    """Delete a sent entry, or move one that failed too often to the dead letters; return whether it was sent.

    Only refused entries are moved to the dead letters, not those that failed because of an outage.
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
    """Return the entry of a message that an event source mapping has delivered.

    Raises:
        ValueError: the message is not an entry of the spool.
    """
    if isinstance(spool, SqsSpool):
        message = {"Body": piece.body, "ReceiptHandle": piece.receipt}
        return spool.message(message | {"Attributes": {"ApproximateReceiveCount": str(piece.received)}})
    return read_entry(piece.body, piece.receipt)
