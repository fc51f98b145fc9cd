"""Which lanes a worker was told to serve."""

import argparse
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from store.lanes import Lane


def chosen_lanes(arguments: Sequence[str]) -> AbstractSet[Lane]:
    """The lanes to serve by the arguments of ``python -m worker``: both, unless one is named."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Takes jobs and runs them, one at a time.")
    said = "take only jobs of this lane: light (import), or train (all others); without it, of both"
    parser.add_argument("--lane", choices=[lane.value for lane in Lane], help=said)
    chosen = parser.parse_args(arguments).lane
    return frozenset(Lane) if chosen is None else frozenset({Lane(chosen)})
