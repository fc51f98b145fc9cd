"""Learning: data, augmentation, model, schedule, loop, interpretation, prediction."""

import os

# Threads that wait for each other by spinning take the processor from the very thread that they wait for, wherever
# anything else runs beside them. The library reads this as it is loaded, so that it is said before torch comes in.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
