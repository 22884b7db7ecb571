"""Sends what the spool holds: one entry at a time, and only then deletes it."""

from monitoring.forwarder.inputs import Spooled
from monitoring.forwarder.sender import Sender
from monitoring.forwarder.spool import Entry, Spool, SqsSpool, read_entry


def redrive(spool: Spool | None, sender: Sender, attempts: int) -> tuple[int, int]:
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
        if deliver_entry(spool, sender, entry, attempts):
            sent += 1
        else:
            failed += 1
            if entry.kind in sender.down:
                break
    return sent, failed


def deliver_entry(spool: Spool | None, sender: Sender, entry: Entry, attempts: int) -> bool:
    """Send one entry and delete it; one that failed too often goes to the dead letters. Whether it is
    dealt with."""
    tally = sender.tally
    if sender.deliver_again(entry):
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
