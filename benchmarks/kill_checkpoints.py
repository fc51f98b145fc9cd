"""Trainings ended by force while they keep checkpoints, some of which are then damaged: ``[--tries 100] [--seed 1]``.

    python -m benchmarks.kill_checkpoints

Each try is a training of its own process that keeps a checkpoint after every step. It gets SIGKILL at a moment drawn
over its length, up to three times, and after half of these a kept file is flipped, cut, blanked or removed. The last
process goes on to the end. Its weights must equal, bit for bit, those of a training that nothing happened to; where
the newest checkpoint was damaged last, it must have said so. Exits with 1 where either fails.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from tests.ml.learn.test_checkpoints import BEFORE, DAMAGES, NEWEST, Watcher, training

MOST_KILLS = 3
LEAST_OF_LENGTH = 0.6
"""The first training of all is the slowest: so much of its time is within every other's."""
Answer = dict[str, object]
Work = Callable[[Path], Answer]


def main() -> None:
    """Try, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 - no secret
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.monotonic()
        twin = _trained(_folder(Path(scratch), "twin"))
        length = LEAST_OF_LENGTH * (time.monotonic() - begun)
        for number in range(asked.tries):
            found += _one(_folder(Path(scratch), f"try-{number}"), twin, length, chance)
    print(json.dumps({"tries": asked.tries, "seed": asked.seed, **found}))
    sys.exit(1 if found["other weights"] or found["silent"] else 0)


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir()
    return folder


def _one(folder: Path, twin: Answer, length: float, chance: random.Random) -> Counter[str]:
    """A training that is killed and damaged a few times and then goes on to its end."""
    found: Counter[str] = Counter()
    must_tell = False
    for _ in range(chance.randint(1, MOST_KILLS)):
        found["killed" if _killed(folder, chance.uniform(0, length)) else "ended before its kill"] += 1
        kept = [folder / "kept" / name for name in (NEWEST, BEFORE) if (folder / "kept" / name).exists()]
        must_tell = False
        if kept and chance.random() < 1 / 2:
            victim, damage = chance.choice(kept), chance.choice(DAMAGES)
            damage(victim, chance)
            found[f"damaged: {damage.__name__}"] += 1
            # Where the only one is gone, nobody can know that it ever was there.
            must_tell = victim == kept[0] and (victim.exists() or len(kept) > 1)
    last = _trained(folder)
    found["equal weights" if last["weights"] == twin["weights"] else "other weights"] += 1
    found["went on behind the start"] += bool(last["began"])
    found["must tell"] += must_tell
    found["told"] += bool(last["said"])
    found["silent"] += must_tell and not last["said"]
    return found


def _trained(folder: Path) -> Answer:
    return _in_a_process(folder, _train)


def _train(folder: Path) -> Answer:
    watcher = Watcher()
    trainer = training(folder, watcher, keep_each_step=True)
    trainer.restore()
    began = trainer.step
    trainer.train()
    weights = sha256()
    for value in trainer.model.state_dict().values():
        weights.update(value.contiguous().numpy().tobytes())
    return {"began": began, "said": watcher.said, "weights": weights.hexdigest()}


def _in_a_process(folder: Path, work: Work) -> Answer:
    child = _fork(folder, work)
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"{folder.name}: a training that nobody killed ended with {status}")
    answer = folder / "answer.json"
    told: Answer = json.loads(answer.read_text())
    answer.unlink()
    return told


def _killed(folder: Path, seconds: float) -> bool:
    """Train, and end it by force after so many seconds; whether it was still running."""
    child = _fork(folder, _train)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    (folder / "answer.json").unlink(missing_ok=True)
    return os.WIFSIGNALED(status)


def _fork(folder: Path, work: Work) -> int:
    """A child that does the work; a process forked before torch has begun to compute, so that no thread is lost."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        (folder / "answer.json").write_text(json.dumps(work(folder)))
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
