"""Stand in for a function that cannot run on this machine: return its configured answer, or raise why.

This is deployed as the function's code, so it imports nothing of the package.
"""

import json
import os


class NotRunHereError(Exception):
    """The function cannot run on this machine."""


def handler(event, context):  # type: ignore[no-untyped-def]
    """Return the answer that was given for the function.

    Raises:
        NotRunHereError: none was given.
    """
    answer = os.environ.get("STAND_IN_ANSWER")
    if answer is None:
        raise NotRunHereError(os.environ.get("STAND_IN_REASON", "nothing stands in for it"))
    return json.loads(answer)
