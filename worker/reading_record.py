"""Write what predictions on a dataset say into the record."""

from sqlalchemy.orm import Session

from ml.reading.metrics import Reading
from store.db.records import record_interpretation


def record_reading(session: Session, run_id: int, reading: Reading, *, dataset_id: int, job_id: int) -> None:
    """Of a run's predictions on a dataset, made by a job; in place of an earlier reading."""
    record_interpretation(
        session,
        run_id,
        dataset_id=dataset_id,
        job_id=job_id,
        vocab=reading.vocab,
        matrix=reading.matrix,
        items=reading.items,
        valid_loss=reading.valid_loss,
        error_rate=reading.error_rate,
        tta=reading.tta,
    )
