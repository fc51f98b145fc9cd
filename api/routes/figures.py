"""A run's figures, for Plotly or as pictures. No route here runs a model."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.dependencies import ServicesDep
from api.figures.catalogue import FIGURES, FigureChoice, chart_of
from api.figures.chart import Chart
from api.figures.curves import curves_chart
from api.figures.paper import LEAST_WIDTH
from api.figures.plotly_json import as_plotly
from api.figures.png import Painter
from api.schemas.comparison import SeveralRuns, ids_of
from api.schemas.fields import DatasetName, Id
from api.schemas.problem import problems
from store.db.reading import epochs_of_runs, get_runs
from store.errors import NotFound

router = APIRouter(prefix="/runs", tags=["runs"])

PNG = "image/png"
SUFFIX = ".png"
CURVES = "curves"
"""The figure of several runs."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A Plotly figure (`data` and `layout`), or the picture",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            PNG: {"schema": {"type": "string", "format": "binary"}},
        },
    },
    **problems(404, 409),
}
HEADERS = {"Vary": "Accept", "Cache-Control": "no-cache"}


class FigureSize(BaseModel):
    """A figure's size in pixels."""

    width: int | None = Field(None, ge=LEAST_WIDTH, le=2000, description="its own where left out")
    height: int | None = Field(None, ge=200, le=2000, description="its own where left out")
    scale: float = Field(1.0, ge=0.5, le=2, allow_inf_nan=False, description="dots of the picture for each pixel")


class FigureQuery(FigureSize):
    """Which of several figures of a name, and its size in pixels."""

    width: int | None = Field(
        None,
        ge=LEAST_WIDTH,
        le=2000,
        description="its own where left out; a confusion whose names would touch is wider than asked for",
    )
    height: int | None = Field(
        None, ge=200, le=2000, description="its own where left out; one without room for the labels is raised"
    )
    phase: int | None = Field(
        None, ge=0, lt=1000, description="lr-find: the search before this phase, from 0; the first where left out"
    )
    dataset: DatasetName | None = Field(
        None, description="confusion, reliability: a dataset that the run was interpreted on"
    )


class CurvesQuery(FigureSize):
    """The runs whose curves lie over each other, and the figure's size in pixels."""

    runs: SeveralRuns


# Before the figures of one run, whose number stands in the same place.
@router.get("/compare/figures/{name}", response_class=Response, responses=ANSWERS)
def get_a_figure_of_some(
    name: Annotated[str, Path(max_length=64, description=f"{CURVES}; with `.png` the picture")],
    query: Annotated[CurvesQuery, Query()],
    services: ServicesDep,
    accept: Annotated[str, Header(description="with `image/png` the picture")] = "",
) -> Response:
    """The curves of several runs over each other: error rate and validation loss after each epoch."""
    if name.removesuffix(SUFFIX) != CURVES:
        raise NotFound(f"there is no figure {name!r} of several runs", hint=f"The figure is {CURVES}.")
    ids = ids_of(query.runs)
    with services.sessions.begin() as session:
        chart = curves_chart(get_runs(session, ids), epochs_of_runs(session, ids))
    return rendered(chart, services.painter, query, as_picture=name.endswith(SUFFIX) or wants_picture(accept))


@router.get("/{run_id}/figures/{name}", response_class=Response, responses=ANSWERS)
def get_a_figure(
    run_id: Annotated[Id, Path()],
    name: Annotated[str, Path(max_length=64, description=f"{', '.join(FIGURES)}; with `.png` the picture")],
    query: Annotated[FigureQuery, Query()],
    services: ServicesDep,
    accept: Annotated[str, Header(description="with `image/png` the picture")] = "",
) -> Response:
    """A figure of the run, as far as the run has come: Plotly's JSON, or a PNG.

    Plotly's `layout.meta` has `title`, `subtitle`, `notes`, `drawn`, and `alt`: all that the figure says in one text,
    for people who cannot see it. Without `width` its texts break so that it can be narrowed to 400 pixels; with `width`
    they break for that.
    """
    asked = FigureChoice(phase=query.phase, dataset=query.dataset)
    with services.sessions.begin() as session:
        chart = chart_of(session, run_id, name.removesuffix(SUFFIX), asked)
    return rendered(chart, services.painter, query, as_picture=name.endswith(SUFFIX) or wants_picture(accept))


def rendered(chart: Chart, painter: Painter, size: FigureSize, *, as_picture: bool) -> Response:
    """The answer with a figure: the picture, or Plotly's JSON."""
    if as_picture:
        picture = painter.as_png(chart, width=size.width, height=size.height, scale=size.scale)
        return Response(picture, media_type=PNG, headers=HEADERS)
    return JSONResponse(as_plotly(chart, width=size.width, height=size.height), headers=HEADERS)


def wants_picture(accept: str) -> bool:
    """Whether a picture is asked for by name and JSON is not."""
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return bool(kinds & {PNG, "image/*"}) and "application/json" not in kinds
