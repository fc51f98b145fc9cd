import json
import tracemalloc

import numpy as np

from api.datasets.label_next import next_to_label
from store.artifacts import ArtifactStore

PICTURES, BREEDS = 2000, 37


def test_what_is_chosen_from_is_not_held_in_memory_many_times_over(artifacts: ArtifactStore) -> None:
    scores = np.random.default_rng(1).dirichlet(np.ones(BREEDS), PICTURES)
    rows = [
        {"path": f"{number}.jpg", "probabilities": {f"a breed {n}": float(one) for n, one in enumerate(row)}}
        for number, row in enumerate(scores)
    ]
    stored = artifacts.put_bytes("jobs/1-1/predictions.jsonl", "\n".join(map(json.dumps, rows)).encode())
    del rows
    about = {"key": stored.key, "bytes": stored.bytes}
    tracemalloc.start()
    try:
        found = next_to_label(artifacts, 1, about, {"7.jpg": 7}, "uncertain", 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found.of, len(found.items)) == (PICTURES, 5)
    assert peak < 3 * stored.bytes
