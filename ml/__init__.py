"""Learning: data, augmentation, model, schedule, loop, interpretation, prediction."""

import os

# Threads that spin while they wait for each other take the processor from the very thread that they wait for, wherever
# anything else runs beside them; docs/experiments.md has what it costs. The library that torch brings reads this as it
# is loaded, so that it is said before torch comes in. Whoever has said how threads should wait is left alone.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
