"""Sends what the spool holds: one entry at a time, and only then deletes it."""

import hashlib
import json
from collections.abc import Callable

from monitoring.forwarder.inputs import Rest, Spooled
from monitoring.forwarder.sender import Sender
from monitoring.forwarder.spool import Entry, Spool, SqsSpool, read_entry

REST = "rest"
"""The kind of an entry that is no batch: what is left of an object that time did not suffice for."""


def rest_entry(rest: Rest) -> Entry:
    """The entry of what is left of an object."""
    text = rest.text().encode()
    return Entry(REST, text, "identity", hashlib.sha256(text).hexdigest(), "time is up")


def read_rest(entry: Entry) -> Rest:
    """What is left of an object, from its entry."""
    bucket, key, skip = json.loads(entry.wire)
    return Rest(bucket, key, skip)


def redrive(spool: Spool | None, send: Callable[[Entry], bool], sender: Sender) -> tuple[int, int]:
    """Send the entries of the spool, the oldest first; (sent, failed).

    Ends at the first entry that fails because Datadog cannot be reached: the others would fail alike, and
    keep their attempts for a better day.
    """
    sent = failed = 0
    if spool is None:
        return sent, failed
    for entry in spool.entries():
        if not sender.time_left():
            break
        if send(entry):
            sent += 1
        else:
            failed += 1
            if entry.kind in sender.down:
                break
    return sent, failed


def settle(spool: Spool | None, sender: Sender, entry: Entry, attempts: int, sent: bool) -> bool:
    """Delete an entry that was sent, bury one that failed too often; gives `sent` back."""
    tally = sender.tally
    if sent:
        tally.counts["redriven"] += 1
        if spool is not None:
            spool.delete(entry)
        return True
    dead = entry.attempts + 1 >= attempts
    if spool is not None:
        spool.failed(entry, dead)
    if dead:
        tally.counts["dead"] += 1
        tally.error(f"an entry of the spool failed {entry.attempts + 1} times and is dead: {entry.reason}")
    return False


def read_spooled(spool: Spool | None, piece: Spooled) -> Entry:
    """The entry of a message that Lambda's own poller brought.

    Raises:
        ValueError: the message is no entry.
    """
    if isinstance(spool, SqsSpool):
        message = {"Body": piece.body, "ReceiptHandle": piece.receipt}
        return spool.message(message | {"Attributes": {"ApproximateReceiveCount": str(piece.received)}})
    return read_entry(piece.body, piece.receipt)
