"""``python -m worker.calibration REQUEST``: the process in which a calibration request is measured, and ends."""

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ml.config import TrainSettings
from ml.errors import LearningError
from ml.late import Late
from ml.versions import check_versions
from store.db.calibrations import answer_request, fail_request, get_request
from store.db.session import make_engine, make_sessions
from store.logs import log_to_stderr
from store.settings import load_settings

if TYPE_CHECKING:
    from ml.throughput import Calibrated

log = logging.getLogger(__name__)

_CALIBRATE: Late[Callable[[TrainSettings, str], "Calibrated"]] = Late("ml.throughput", "calibrate")


def main() -> int:
    """Measure and answer; the exit status is 0 where an answer stands in the database."""
    request_id = int(sys.argv[1])
    log_to_stderr()
    settings = load_settings()
    sessions = make_sessions(make_engine(settings))
    with sessions.begin() as session:
        asked = TrainSettings.model_validate(get_request(session, request_id).settings)
    try:
        rows = _measure(asked, settings.device)
    except LearningError as error:
        log.warning("calibration %d: %s: %s", request_id, error.code, error.detail)
        with sessions.begin() as session:
            fail_request(session, request_id, {"code": error.code, "detail": error.detail, "hint": error.hint})
        return 0
    with sessions.begin() as session:
        answer_request(session, request_id, rows)
    return 0


def _measure(asked: TrainSettings, device: str) -> list[dict[str, Any]]:
    """The measurements as rows of ``calibrations``.

    What measures imports torch and torchvision, which end in a riddle where they do not fit each other, unless that is
    looked at first.
    """
    check_versions()
    found = _CALIBRATE.get()(asked, device)
    shared = {name: getattr(asked, name) for name in ("arch", "presize", "size", "batch_size")}
    machine = {"device": found.device, "precision": found.precision}
    return [{**shared, **machine, **asdict(kind)} for kind in found.kinds]


if __name__ == "__main__":
    sys.exit(main())
