"""The application: its parts, what stands before the routes, and the routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session, sessionmaker
from starlette.routing import BaseRoute

from api.datasets.archive_readers import ArchiveReaders
from api.datasets.archived_photos import ArchivedPhotos
from api.datasets.looks import Looks
from api.datasets.photos import PhotoShelf
from api.datasets.resumable import Uploads
from api.datasets.review_rankings import ReviewRankings
from api.datasets.trials import Trials
from api.datasets.uploads import UPLOAD_HINT
from api.dependencies import Services, limits_of
from api.figures.png import Painter
from api.http.access import Access, Openness
from api.http.bodies import RESUMABLE, Bodies, Slots
from api.http.changes import Changes
from api.http.cors import Cors
from api.http.document import describe
from api.http.errors import install_error_handlers
from api.http.gate import BodyLimit, Gate, LimitOf
from api.http.keyring import Keyring
from api.http.known_query import only_known_query
from api.http.leaving import QuietLeave
from api.http.media_types import FORM, JSON, OFFSET, is_picture
from api.http.meter import Meter
from api.http.methods import HeadAsGet
from api.http.origins import normal_origin
from api.http.paths import Below
from api.http.ranges import Ranges
from api.http.request_ids import RequestIds
from api.http.scopes import Scopes, only_judged
from api.http.telemetry import RequestTimer, Telemetry
from api.http.traces import DroppedSpans, RequestSpans, trace
from api.http.tus import Tus
from api.http.whole_answers import WholeAnswers
from api.kept.afterwards import Afterwards
from api.routes import (
    aliases,
    answers,
    audit,
    choices,
    compare,
    contract,
    dataset_imports,
    dataset_items,
    datasets,
    downloads,
    drift,
    events,
    explain,
    exports,
    figures,
    jobs,
    keys,
    limits,
    lr_find,
    models,
    new_breeds,
    operations,
    page,
    predict,
    predictions,
    review,
    run_deletion,
    run_items,
    runs,
    sign_in,
    studies,
    uploads,
    webhooks,
)
from api.schemas.problem import problems
from api.serving.batching import Batcher
from api.serving.choosing import ChosenWays, ExactWays, Measure
from api.serving.decoding import Decoding
from api.serving.explaining import Explaining
from api.serving.exports import Exports
from api.serving.measuring import Measuring
from api.serving.model_files import model_folder
from api.serving.predictor import Loader, Predictor
from api.serving.shadowing import Shadowing
from api.sign_in.switch import provider_of
from ml import cache_names
from ml.serve.classifier import Classifier
from ml.serve.machine import machine_kind
from store.artifacts import ArtifactStore
from store.cache_names import uploads_folder
from store.db.audit import keep_record
from store.db.session import close_engine, make_engine, make_sessions
from store.queue import make_celery
from store.scratch import remove_scratch
from store.settings import MIB, Settings, split_list
from store.tracing import stop_tracing

VERSION = version("pedigree")
WATCHER_THREADS = 8
CLEAN_SECONDS = 3600.0
JSON_BYTES = MIB
FORM_BYTES = MIB
"""What a form may have beside its files."""

ROUTERS: tuple[APIRouter, ...] = (
    predict.router,  # first, as it is asked most: each router before it looks at every path
    jobs.router,
    studies.router,
    choices.router,
    answers.router,
    events.router,
    compare.router,  # before the runs, whose numbers stand in the same place
    runs.router,
    runs.whole,
    run_items.router,
    run_deletion.router,
    downloads.router,
    figures.router,
    lr_find.router,
    datasets.router,
    dataset_imports.router,
    review.router,
    dataset_items.router,
    uploads.router,
    aliases.router,  # before the models: an alias's path is none of a version
    models.router,
    new_breeds.router,
    exports.router,
    explain.router,
    predictions.router,
    drift.router,
    keys.router,
    sign_in.router,
    audit.router,
    webhooks.router,
    limits.router,
    operations.router,
    contract.router,
    page.router,
)


def create_app(
    settings: Settings,
    load: Loader | None = None,
    measure: Measure | None = None,
    *,
    openness: Openness = Openness.UNTIL_A_KEY_IS_MADE,
) -> FastAPI:
    """The service's HTTP side.

    Args:
        settings: where database, broker and artifacts are, and the limits.
        load: from a folder with a model's files to a classifier; ``ml.serve.classifier.Classifier.load`` by default.
        measure: what chooses the way to run a version; by default nothing does where ``load`` is given.
        openness: where nobody is asked for a key, unless PEDIGREE_OPEN says that nobody ever is.

    Raises:
        SettingsInvalid: a setting cannot be used.
    """
    services = make_services(settings, load, measure)
    app = FastAPI(
        title="Pedigree",
        version=VERSION,
        summary="Trains, examines and serves a pet-breed classifier.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(only_judged)],
    )
    app.root_path = settings.root_path
    app.state.services = services
    # Those of the app itself, such as /openapi.json; FastAPI keeps a router that is included as one of them, whole.
    app.state.routes = [*app.routes, *(route for router in ROUTERS for route in router.routes)]
    install_error_handlers(app)
    app.router.routes.extend(_all_routes())
    _stand_before(app, services, openness)
    describe(app)
    return app


def _stand_before(app: FastAPI, services: Services, openness: Openness) -> None:
    """Put what every request passes before the routes."""
    settings = services.settings
    # The last one added is the outermost.
    app.add_middleware(QuietLeave)
    app.add_middleware(WholeAnswers)
    app.add_middleware(Ranges)
    app.add_middleware(HeadAsGet)
    app.add_middleware(
        Bodies,
        held_bytes=max(settings.max_held_bytes, settings.max_predict_bytes + FORM_BYTES),
        uploads=settings.max_uploads,
        seconds=settings.request_seconds,
    )
    app.add_middleware(Changes, sessions=services.sessions)
    app.add_middleware(
        Access,
        keyring=services.keyring,
        scopes=Scopes(app.state.routes),
        openness=_openness(services, openness),
        meter=services.meter,
    )
    friends = frozenset(filter(None, map(normal_origin, split_list(settings.cors_origins))))
    app.add_middleware(Gate, hosts=split_list(settings.allowed_hosts), limit_of=_body_limit(settings), friends=friends)
    app.add_middleware(Tus)
    if friends:
        app.add_middleware(Cors, origins=friends)
    app.add_middleware(Below)
    app.add_middleware(RequestTimer, telemetry=services.telemetry)
    if settings.otlp_endpoint:
        app.add_middleware(RequestSpans, root_path=settings.root_path)
        services.telemetry.registry.register(DroppedSpans())
    app.add_middleware(RequestIds)


def _openness(services: Services, openness: Openness) -> Openness:
    """Where nobody is asked who they are; where people sign in, everybody is."""
    if services.provider is not None:
        return Openness.NEVER
    return Openness.ALWAYS if services.settings.open == "yes" else openness


@cache
def _all_routes() -> list[BaseRoute]:
    """Those of all routers, with what holds for each.

    FastAPI takes a tenth of a second to work them out, at the first request: once in a process, for all its apps.
    """
    whole = APIRouter(
        generate_unique_id_function=_operation_id,
        responses=problems(),
        dependencies=[Depends(only_judged), Depends(only_known_query)],
    )
    for router in ROUTERS:
        whole.include_router(router)
    return whole.routes


def make_services(settings: Settings, load: Loader | None, measure: Measure | None) -> Services:
    """The parts, not yet running."""
    engine = make_engine(settings)
    sessions = make_sessions(engine)
    keep_record(sessions)
    artifacts = ArtifactStore(settings.artifacts_url)
    telemetry = Telemetry()
    photos = PhotoShelf(artifacts, settings.cache, settings.cache_bytes)
    if load is None:
        measure = measure or _measuring(settings, sessions, artifacts, photos)
    predictor = Predictor(
        sessions=sessions,
        artifacts=artifacts,
        cache=settings.cache,
        load=load or (lambda folder, way: Classifier.load(folder, settings.device, way)),
        ways=ChosenWays(sessions, lambda: machine_kind(settings.device), measure) if measure else ExactWays(),
    )
    telemetry.models.set_function(predictor.in_memory)
    readers = ArchiveReaders()
    batcher = Batcher(queue=settings.predict_queue, batch=settings.predict_batch, telemetry=telemetry)
    return Services(
        settings=settings,
        engine=engine,
        sessions=sessions,
        artifacts=artifacts,
        celery=make_celery(settings),
        keyring=Keyring(sessions, settings.oidc_issuer or None),
        meter=Meter.of(settings),
        provider=provider_of(settings),
        photos=photos,
        looks=Looks(photos, limits_of(settings)),
        rankings=ReviewRankings(photos, artifacts, settings.cache),
        uploads=Uploads(
            uploads_folder(settings.cache),
            most_bytes=settings.max_upload_bytes,
            most_stored=settings.max_stored_upload_bytes,
        ),
        trials=Trials(readers, settings.max_unpacked_bytes),
        archived=ArchivedPhotos(readers, max_unpacked=settings.max_unpacked_bytes, max_photo=settings.max_image_bytes),
        painter=Painter(settings.cache),
        predictor=predictor,
        batcher=batcher,
        shadowing=Shadowing(
            sessions, predictor.ready, lambda: batcher.is_busy, limits_of(settings), telemetry.registry
        ),
        decoding=Decoding(max(settings.predict_queue // 2, settings.max_predict_files)),
        explaining=Explaining(partial(model_folder, sessions, artifacts, settings.cache)),
        exports=Exports(settings.cache, limits_of(settings)),
        telemetry=telemetry,
        afterwards=Afterwards(
            settings,
            sessions,
            artifacts,
            lambda revision, item: photos.bundle(revision).read(item),
            telemetry.registry,
        ),
        watchers=CapacityLimiter(WATCHER_THREADS),
        streams=Slots(settings.max_streams, "event streams"),
    )


def _measuring(
    settings: Settings, sessions: sessionmaker[Session], artifacts: ArtifactStore, photos: PhotoShelf
) -> Measuring:
    return Measuring(
        sessions,
        artifacts,
        lambda revision, item: photos.photo(revision, item).data,
        cache=settings.cache,
        limits=limits_of(settings),
        device=settings.device,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    trace(services.settings)
    services.keyring.start()
    services.batcher.start()
    services.predictor.start()
    services.shadowing.start()
    services.afterwards.start()
    cleaning = asyncio.create_task(_keep_clean(services.settings.cache))
    try:
        yield
    finally:
        cleaning.cancel()
        await services.meter.close()
        await run_in_threadpool(_stop, services)


async def _keep_clean(cache: Path) -> None:
    """Remove what killed processes left: the API's cache folder may be one that no worker sees."""
    while True:
        await run_in_threadpool(remove_scratch, cache, copies=cache_names.COPIES, begun=cache_names.BEGUN)
        await asyncio.sleep(CLEAN_SECONDS)


def _stop(services: Services) -> None:
    services.predictor.stop()
    services.shadowing.stop()
    services.batcher.stop()
    services.decoding.close()
    services.afterwards.stop()
    services.looks.close()
    services.exports.close()
    services.explaining.close()
    services.keyring.stop()
    services.celery.close()
    close_engine(services.engine)
    stop_tracing()


def _body_limit(settings: Settings) -> LimitOf:
    """From method, path and media type to what a body may have.

    Only such a form is read piece by piece: all else is held in memory whole, wherever it is sent.
    """
    archives = BodyLimit(settings.max_upload_bytes, UPLOAD_HINT)
    forms = {
        ("POST", "/datasets"): BodyLimit(settings.max_upload_bytes + FORM_BYTES, UPLOAD_HINT),
        ("POST", "/jobs/archives"): BodyLimit(settings.max_upload_bytes + FORM_BYTES, UPLOAD_HINT),
        ("POST", "/predict"): BodyLimit(
            settings.max_predict_bytes + FORM_BYTES,
            "Send fewer or smaller pictures at a time, or raise PEDIGREE_MAX_PREDICT_BYTES.",
        ),
    }
    # Base64 takes four letters for three bytes; the JSON around it is held in memory whole, so it has room for one.
    picture = min(settings.max_image_bytes, settings.max_predict_bytes)
    texts = {("POST", "/predict"): BodyLimit(4 * picture // 3 + FORM_BYTES, "Send the pictures as a form, or fewer.")}
    whole = {("POST", "/predict"): BodyLimit(settings.max_predict_bytes, "Send a smaller picture.")}
    other = BodyLimit(JSON_BYTES, "Send a smaller body.")

    def limit_of(method: str, path: str, kind: str) -> BodyLimit:
        path = "/predict" if path == "/predict/explain" else path
        if kind == OFFSET and method == "PATCH" and path.startswith(RESUMABLE):
            return archives
        if kind == FORM:
            return forms.get((method, path), other)
        if kind == JSON:
            return texts.get((method, path), other)
        return whole.get((method, path), other) if is_picture(kind) else other

    return limit_of


def _operation_id(route: APIRoute) -> str:
    return route.name
