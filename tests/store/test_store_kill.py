"""A store under load, killed: every acknowledged batch is there once, the one in flight once or not at
all.
"""

import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from monitoring.store import Store

WRITER = """
import sys
import numpy as np
from monitoring.query.series import Series
from monitoring.store import Store
store = Store.open(sys.argv[1])
number = int(sys.argv[2])
while True:
    values = np.full(3000, float(number))
    store.add_samples([Series("d", (f"s:{number % 7}",), np.full(3000, 1_700_000_000 + number), values)])
    store.add_points([Series("g", (), np.array([1_700_000_000]), np.array([float(number)]))])
    store.documents.put("kind", str(number), {"number": number})
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_a_random_moment_of_heavy_writing_nothing_is_lost_or_doubled(tmp_path, seed):
    path = tmp_path / "d.duckdb"
    chance = random.Random(seed)
    acknowledged, doubtful = -1, set()
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(path), str(acknowledged + 2)]
        doubtful.add(acknowledged + 1)
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        numbers = [int(writer.stdout.readline())]
        time.sleep(chance.uniform(0.02, 0.6))
        writer.kill()
        numbers += [int(line) for line in writer.stdout.read().splitlines() if line]
        writer.wait()
        writer.stdout.close()
        acknowledged = numbers[-1]
    doubtful.add(acknowledged + 1)
    with Store.open(path, read_only=True) as store:
        found = Counter(int(value) for one in store.series("d") for value in one.values)
        kept = {body["number"] for body in store.documents.all("kind")}
        (last,) = store.series("g")
    for number in range(acknowledged + 2):
        allowed = {0, 3000} if number in doubtful else {3000}
        assert found[number] in allowed, number
        assert number in kept or number in doubtful
    assert len(last.values) == 1
    assert last.values[0] >= acknowledged
    assert acknowledged >= 4
