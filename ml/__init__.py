"""Learning: data, augmentation, model, schedule, loop, interpretation, prediction."""

import os
import sys

# Threads that spin while they wait for each other take the processor from the very thread that they wait for, wherever
# anything else runs beside them; docs/experiments.md has what it costs. The library that torch brings reads this as it
# is loaded, so that it is said before torch comes in: on Linux that is GNU's, which knows a number of turns, elsewhere
# LLVM's, which knows only the standard's word for few. Whoever has said how threads should wait is left alone.
if sys.platform != "linux":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
elif "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
