"""HTTP in and out."""

import ml  # noqa: F401 - it says how threads wait, which must be said before torch comes in
