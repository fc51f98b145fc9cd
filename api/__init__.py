"""HTTP in and out."""

import ml  # noqa: F401 - says how threads wait, before any file here brings torch in
