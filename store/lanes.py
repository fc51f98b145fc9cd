"""The two lanes in which jobs wait, so that a short one never waits behind a long one. Decision 21 says why."""

from enum import StrEnum


class Lane(StrEnum):
    """Where a job waits, and what a worker takes."""

    TRAIN = "train"
    """What needs the device that learns, one job at a time: train, lr_find, interpret, forecast, predict."""
    LIGHT = "light"
    """What needs no device, and may run beside a training: import."""


LIGHT_KINDS = frozenset({"import"})
UNQUEUED_KINDS = frozenset({"search"})
"""Kinds that no worker takes: the repair process moves a search on, and its trials wait in the lane ``train``."""


def lane_of(kind: str) -> Lane:
    """The lane of a kind of job."""
    return Lane.LIGHT if kind in LIGHT_KINDS else Lane.TRAIN
