"""HTTP in and out."""

import os

import ml  # noqa: F401 - says how threads wait, before any file here brings torch in

# Numpy's products are small here. Several threads for one would wait for a core each, where passes keep all cores busy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
