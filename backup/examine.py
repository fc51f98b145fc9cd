"""Whether database and artifact store are fit for work, asked of themselves: what `pedigree doctor` says of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Engine, NullPool, create_engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backup.writing import size_of
from migrations.schema import SchemaUnfit, check_current, schema_of
from store.artifacts import ArtifactStore
from store.db.jobs import IN_HAND
from store.db.lanes import count_workers
from store.db.models import Job
from store.db.named_files import named_files
from store.errors import AppError
from store.settings import Settings

MOST_APART_SECONDS = 60.0
"""Between this machine's clock and the database's; leases go by the latter, what people read by both."""
LOST_FOR = "60 seconds"
"""A lease that ran out so long ago should have been seen by the repair process many times."""


@dataclass
class Findings:
    """What was found, by what it is about, and what stops work, each with what to do."""

    found: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    needed_bytes: int | None = None
    """Of a backup; None where it cannot be told."""


def examine(settings: Settings) -> Findings:
    """Look at the database and the store; what cannot be looked at is a fault, too."""
    findings = Findings()
    engine = create_engine(settings.database_url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    try:
        _database(engine, findings)
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        findings.found["database"] = said[0] if said else type(error).__name__
        why = findings.found["database"]
        findings.faults.append(f"The database does not answer: {why}. Look at it and at DATABASE_URL.")
    try:
        artifacts = ArtifactStore(settings.artifacts_url)
        _store(artifacts, findings)
        if findings.found["database"] == "ok":
            findings.needed_bytes = _backup_bytes(engine, artifacts)
    except OSError as error:  # of a folder that cannot be made
        findings.found["artifact store"] = str(error)
        findings.faults.append(f"The artifact store's folder cannot be used: {error}. Look at ARTIFACTS_URL.")
    except AppError as error:
        findings.found["artifact store"] = error.detail
        findings.faults.append(_sentences(error))
    finally:
        engine.dispose()
    return findings


def _sentences(error: AppError) -> str:
    return f"{error.detail[0].upper()}{error.detail[1:]}. {error.hint or ''}".rstrip()


def _clock(apart: float) -> str:
    """How a database's clock goes beside this machine's, by so many seconds."""
    ahead = round(apart, 1)
    return (
        f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's" if ahead else "as this machine's"
    )


def _database(engine: Engine, findings: Findings) -> None:
    with engine.connect() as connection:
        schema = schema_of(connection)
        began = datetime.now(UTC)
        theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    apart = (theirs - began).total_seconds()
    findings.found |= {"schema": schema or "none", "clock": _clock(apart)}
    if abs(apart) > MOST_APART_SECONDS:
        findings.faults.append(f"The database's clock is {_clock(apart)}. Set both by NTP.")
    try:
        check_current(schema)
    except SchemaUnfit as error:
        findings.found["database"] = "of another version"
        findings.faults.append(_sentences(error))
        return
    findings.found["database"] = "ok"
    with Session(engine) as session:
        _jobs(session, findings)


def _jobs(session: Session, findings: Findings) -> None:
    lost = Job.lease_until < func.now() - text(f"interval '{LOST_FOR}'")
    left = session.scalar(select(func.count()).where(Job.state.in_(IN_HAND), lost)) or 0
    findings.found["lost jobs"] = str(left)
    if left:
        mend = "Start the repair process: `pedigree up` has one, else `python -m worker.repair`."
        findings.faults.append(f"{left} jobs lost their worker, and nobody queues them again. {mend}")
    for lane, count in count_workers(session).items():
        findings.found[f"workers, {lane}"] = str(count)
        if not count:
            mend = f"Start one: `pedigree up` has one, else `python -m worker --lane {lane}`."
            findings.faults.append(f"No worker takes jobs of the lane {lane}. {mend}")


def _store(artifacts: ArtifactStore, findings: Findings) -> None:
    """Write something small, read it, and delete it."""
    key = f"check/{uuid4().hex}"
    artifacts.put_bytes(key, b"ok")
    artifacts.get_bytes(key)
    artifacts.delete(key)
    findings.found["artifact store"] = "ok"


def _backup_bytes(engine: Engine, artifacts: ArtifactStore) -> int:
    with Session(engine) as session:
        named = named_files(session)
        rows = session.scalar(text("SELECT pg_database_size(current_database())")) or 0
    return int(rows) + sum(size_of(artifacts, file) for file in named)
