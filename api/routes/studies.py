"""What a search over settings has tried: its trials as a table, and its figures."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import Field

from api.dependencies import ServicesDep
from api.figures.study import FIGURES, study_chart
from api.http.tables import TableRoute
from api.routes.figures import ANSWERS, SUFFIX, FigureSize, rendered, wants_picture
from api.schemas.fields import Id
from api.schemas.problem import problems
from api.schemas.studies import TrialsOut
from store.db.reading import jobs_of_runs
from store.db.studies import get_study, trials_of

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=TableRoute)


class StudyFigureQuery(FigureSize):
    """Which of the settings that were searched, and the figure's size in pixels."""

    setting: str | None = Field(None, max_length=64, description="setting: the field; the first where left out")


@router.get("/{job_id}/trials", responses=problems(404, 409))
def get_the_trials(job_id: Annotated[Id, Path()], services: ServicesDep) -> TrialsOut:
    """The trials of a search, in the order in which they were made: what each tried, and what came of it."""
    with services.sessions.begin() as session:
        _, study = get_study(session, job_id)
        trials = trials_of(session, job_id)
        jobs = jobs_of_runs(session, [trial.run_id for trial in trials if trial.run_id is not None])
        return TrialsOut.of(study, trials, jobs)


@router.get("/{job_id}/figures/{name}", response_class=Response, responses=ANSWERS)
def get_a_figure_of_a_search(
    job_id: Annotated[Id, Path()],
    name: Annotated[str, Path(max_length=64, description=f"{', '.join(FIGURES)}; with `.png` the picture")],
    query: Annotated[StudyFigureQuery, Query()],
    services: ServicesDep,
    accept: Annotated[str, Header(description="with `image/png` the picture")] = "",
) -> Response:
    """A figure of a search, as far as it has come: Plotly's JSON, or a PNG.

    `trials` shows what each trial came to and the best so far; `setting` what was sought over one of the settings.
    """
    with services.sessions.begin() as session:
        chart = study_chart(session, job_id, name.removesuffix(SUFFIX), query.setting)
    return rendered(chart, services.painter, query, as_picture=name.endswith(SUFFIX) or wants_picture(accept))
