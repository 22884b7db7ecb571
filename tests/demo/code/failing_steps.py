"""Steps that end badly, each in its own way."""

import os
import signal
import sys
import time

from monitoring import count, monitored


@monitored
def raises(event, context):
    count("bad.begun", tags=["how:raises"])
    raise ValueError("no such row: 7")


@monitored
def exits(event, context):
    count("bad.begun", tags=["how:exits"])
    sys.exit(3)


@monitored
def killed(event, context):
    count("bad.begun", tags=["how:killed"])
    os.kill(os.getpid(), signal.SIGKILL)


@monitored
def hangs(event, context):
    count("bad.begun", tags=["how:hangs"])
    time.sleep(60)
