"""Every request that the client sends. A test holds each against the service's OpenAPI document."""

from typing import NamedTuple


class Route(NamedTuple):
    """One operation of the service; ``query`` are the parameters that the client may give."""

    method: str
    path: str
    query: tuple[str, ...] = ()


LIST_JOBS = Route("GET", "/jobs", ("kind", "state", "run", "owner", "limit", "cursor"))
JOB = Route("GET", "/jobs/{job_id}")
QUEUE = Route("POST", "/jobs", ("dry_run",))
CANCEL = Route("POST", "/jobs/{job_id}/cancel")
RESUME = Route("POST", "/jobs/{job_id}/resume")
EVENTS = Route("GET", "/jobs/{job_id}/events")
TRIALS = Route("GET", "/jobs/{job_id}/trials")

LIST_RUNS = Route("GET", "/runs", ("kind", "state", "dataset", "arch", "sort", "limit", "cursor"))
RUN = Route("GET", "/runs/{run_id}")
CHANGE_RUN = Route("PATCH", "/runs/{run_id}")
DELETE_RUN = Route("DELETE", "/runs/{run_id}", ("cascade",))
METRICS = Route("GET", "/runs/{run_id}/metrics", ("every",))
CONFUSION = Route("GET", "/runs/{run_id}/confusion", ("min_val", "dataset"))
TOP_LOSSES = Route("GET", "/runs/{run_id}/top-losses", ("k", "dataset"))
PHOTO = Route("GET", "/runs/{run_id}/items/{item}/image", ("dataset",))
STORED_PREDICTIONS = Route("GET", "/runs/{run_id}/predictions", ("dataset",))
RATES = Route("GET", "/runs/{run_id}/lr-find", ("phase",))

LIST_DATASETS = Route("GET", "/datasets", ("limit", "cursor"))
DATASET = Route("GET", "/datasets/{name}", ("valid_pct", "split_seed"))
DELETE_DATASET = Route("DELETE", "/datasets/{name}")
UPLOAD = Route("POST", "/datasets")
BUILTIN = Route("POST", "/datasets/builtin")
SUMMARY = Route("GET", "/datasets/{name}/summary", ("item", "presize", "size", "resize", "seed"))
BATCH = Route("GET", "/datasets/{name}/batch.png", ("split", "augment", "n", "seed"))
PRESIZING = Route("GET", "/datasets/{name}/presizing.png", ("item", "seed"))

LIST_MODELS = Route("GET", "/models", ("limit", "cursor"))
REGISTER = Route("POST", "/models")
MODEL = Route("GET", "/models/{version}")
ADD_BREEDS = Route("POST", "/models/{version}/breeds")
ALIAS = Route("GET", "/models/aliases/{alias}")
POINT = Route("PUT", "/models/aliases/{alias}")
ROLL_BACK = Route("POST", "/models/aliases/{alias}/rollback")

PREDICT = Route("POST", "/predict", ("model", "top_k", "tta", "coverage", "keep"))
FEEDBACK = Route("POST", "/predictions/{prediction}/feedback")

ROUTES = tuple(route for route in globals().copy().values() if isinstance(route, Route))
