import posixpath
import re
from pathlib import Path
from typing import get_args

import plotly
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

import api
from api.figures import palette
from api.routes.page import DIGEST, DOCUMENT
from api.schemas.architectures import ArchitectureOut, PaceOut, WeightsOut
from api.schemas.config import ConfigFieldOut, ConfigOut, PresetOut
from api.schemas.dataset_items import DatasetItem
from api.schemas.datasets import CrossingPairOut, CrossingPairs, DatasetOut, DatasetSummary, NearDuplicatesOut
from api.schemas.dependents import DependentsOut
from api.schemas.drift import DriftOut, FigureDrift
from api.schemas.exports import ExportProgress
from api.schemas.fields import AliasName, DatasetName, PageOut
from api.schemas.forecast import ForecastOut
from api.schemas.jobs import DryRun, HeldJob, JobOut, JobProgress, JobWaiting
from api.schemas.kept import FeedbackOut
from api.schemas.keys import SessionOut
from api.schemas.lineage import Ancestor, PhaseRate
from api.schemas.lr_find import LrFindOut
from api.schemas.models import AliasOut, CanaryOut, ModelDetail, ModelOut, MoveOut
from api.schemas.predictions import Guess, Prediction, Predictions, ServedModel, SetCoverage
from api.schemas.problem import FieldProblem
from api.schemas.runs import (
    ArtifactOut,
    Batches,
    Confusion,
    CurveOut,
    EpochOut,
    InterpretationOut,
    Metrics,
    RunDataset,
    RunOut,
    RunSummary,
    TopLoss,
)
from api.schemas.shadows import AgreementOut, ComparisonOut, PairOut, ShadowOut
from api.schemas.uploads import RuleTrialOut, UploadOut
from api.schemas.ways import CandidateOut, ChoiceOut, WayOut
from api.schemas.workers import WorkerOut, WorkersJob
from cli.export import STAGES
from cli.waiting import where_it_waits
from ml.data.manifest import ExclusionCode
from ml.serve.export.forms import Form
from store.db.aliases import How
from store.db.waiting import Reason
from tests.api.web import TestClient

FOLDER = Path(str(api.__file__)).parent / "page"
PAGE = DOCUMENT
STYLE = (FOLDER / "frame" / "page.css").read_text()
MODULES = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in sorted(FOLDER.glob("*/*.js"))}
SCRIPTS = "\n".join(MODULES.values())
MOST_LINES = 200
ENTRY = "frame/page.js"
PLACES = ("", "runs", "runs/3", "data/pets/review")


@pytest.mark.parametrize(
    ("path", "kind", "word"),
    [
        *(
            (f"/ui/{place}", "text/html", "<title>Pedigree</title>")
            for place in ("", "runs", "runs/3", "data/pets/review")
        ),
        ("/ui/assets/frame/page.css", "text/css", "prefers-color-scheme"),
        *((f"/ui/assets/{name}", "text/javascript", "import" if name == ENTRY else "export") for name in MODULES),
    ],
)
def test_the_page_and_its_files_are_served(client: TestClient, path: str, kind: str, word: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    # The files belong together: after an upgrade none may come from the browser's cache unasked.
    assert answer.headers["cache-control"] == "no-cache"
    assert word in answer.text
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
    assert client.get(path, headers={"If-None-Match": '"of-another-version"'}).text == answer.text


@pytest.mark.parametrize(
    "path",
    [
        "frame/nothing.js",
        f"of/{DIGEST}/frame/nothing.js",
        f"of/{DIGEST}/frame/document.html",
        "frame/document.html",
        "frame/..%2F..%2F__init__.py",
        "..%2f..%2f..%2f__init__.py",
    ],
)
def test_nothing_else_is_served_beside_the_page(client: TestClient, path: str) -> None:
    answer = client.get(f"/ui/assets/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_services_own_address_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "ui/")


@pytest.mark.parametrize(
    ("place", "up"), [("", "./"), ("runs", "./"), ("runs/3", "../"), ("data/pets/review", "../../")]
)
def test_the_page_finds_its_files_from_the_address_of_each_view(client: TestClient, place: str, up: str) -> None:
    text = client.get(f"/ui/{place}").text
    assert set(re.findall(r'(?:src|href)="([./]+)assets/', text)) == {up}
    assert "{{" not in text


def imports(name: str) -> list[tuple[str, str]]:
    """What a module takes: names, and the module they are from."""
    found = re.findall(r'^import \{([^}]+)\} from "([\w./]+)";$', MODULES[name], re.MULTILINE)
    found += re.findall(r'^  (\w+): "(\.\./[\w./]+\.js)",$', MODULES[name], re.MULTILINE)
    return [(names, posixpath.normpath(posixpath.join(posixpath.dirname(name), source))) for names, source in found]


def test_every_module_is_there_and_exports_what_is_taken_from_it() -> None:
    taken = [one for name in MODULES for one in imports(name)]
    for names, source in taken:
        exported = re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", MODULES[source], re.MULTILINE)
        assert {name.strip() for name in names.split(",")} <= set(exported), source
    assert {source for _, source in taken} | {ENTRY} == set(MODULES)


def test_every_view_that_an_address_names_is_in_the_page() -> None:
    (places,) = re.findall(
        r"^(?:export )?const PLACES = \{\n(.*?)^\};", MODULES["frame/address.js"], re.MULTILINE | re.DOTALL
    )
    views = {name for name, _ in imports("frame/views.js")}
    named = set(re.findall(r': "(\w+)",$', places, re.MULTILINE))
    assert named == views == set(re.findall(r'id="view-(\w+)"', PAGE))


def test_the_views_share_no_name_of_an_element() -> None:
    # They are one document: a script that asks for a name gets the first.
    names = re.findall(r'\sid="([\w-]+)"', PAGE)
    assert sorted(names) == sorted(set(names))


def test_modules_are_short_enough_to_be_read() -> None:
    assert {name for name, text in MODULES.items() if len(text.splitlines()) > MOST_LINES} == set()


def test_the_page_uses_nothing_from_elsewhere_and_nothing_that_its_policy_forbids() -> None:
    named = set(re.findall(r'(?:src|href)="([^"]+)"', PAGE))
    assert {name for name in named if not name.startswith(("{{up}}", "#"))} == {"data:,"}
    assert set(re.findall(r'"(/ui/[^"]+)"', SCRIPTS)) == {"/ui/assets/plotly.min.js"}
    assert set(re.findall(r"^import .*$", SCRIPTS, re.MULTILINE)) == set(
        re.findall(r'^import .* from "\.\.?/.*";$', SCRIPTS, re.MULTILINE)
    )
    assert not re.search(r"<script(?![^>]*src)|<style|\son\w+=|\sstyle=", PAGE)
    # The name of SVG's elements is no address that anybody asks.
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg\")", SCRIPTS)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", SCRIPTS)
    assert not re.search(r"srcdoc|DOMParser|createContextualFragment|setHTML|\bstyle:", SCRIPTS)


def test_plotly_comes_from_its_own_package_and_is_not_in_ours(client: TestClient) -> None:
    answer = client.get("/ui/assets/plotly.min.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.content == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    assert max(path.stat().st_size for path in FOLDER.glob("*/*")) < 50_000


def test_plotly_writes_no_style_into_the_page() -> None:
    # Plotly looks for an element of this name and class; without it, it would add rules that the page's policy forbids.
    assert re.search(r'<link[^>]*id="plotly.js-style-global" class="no-inline-styles"', PAGE)
    script = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    assert "no-inline-styles" in script
    # And it leaves out a style of its map part where an element of this name is there.
    named = set(re.findall(r'document\.getElementById\("([0-9a-f]{64})"\)', script))
    assert named
    assert named <= set(re.findall(r'id="(\w+)"', PAGE))


def test_every_element_that_the_scripts_name_is_in_the_page() -> None:
    there = set(re.findall(r'id="([\w-]+)"', PAGE))
    named = set(re.findall(r'(?:byId|fill|getElementById)\("([\w-]+)"', SCRIPTS))
    assert len(named) > 30
    assert named <= there
    assert set(re.findall(r'<label for="([\w-]+)"', PAGE)) <= there
    labels = set(re.findall(r'aria-labelledby="([\w-]+)"', PAGE))
    assert labels <= there


def test_every_address_that_the_scripts_ask_is_a_route(app: FastAPI) -> None:
    routes = [re.sub(r"\{\w+\}", "[^/]+", path) for path in app.openapi()["paths"]]
    asked = re.findall(
        r'(?:ask\(|askOnce\(|firstOf\(|EventSource\(at\(last === null \? |const base = |path: )["`](/[^"`]+)["`]',
        SCRIPTS,
    )
    # What is put in after a word is the query, what is put in after a slash is a part of the path.
    bare = [re.sub(r"(?<=\w)\$\{.*$", "", path.partition("?")[0]) for path in asked]
    paths = {re.sub(r"\$\{[^}]+\}", "x", path) for path in bare}
    assert {"/runs", "/runs/x", "/runs/x/top-losses", "/runs/x/lr-find", "/jobs", "/events"} <= paths
    assert {path for path in paths if not any(re.fullmatch(route, path) for route in routes)} == set()


@pytest.mark.parametrize(
    ("module", "model", "fields"),
    [
        ("run/reading.js", Confusion, "tta side trained_on error_rate note drawn most_confused per_class"),
        ("run/photo_card.js", TopLoss, "item path actual predicted loss probability_actual probability_predicted"),
        ("run/photo_card.js", TopLoss, "image trained_on"),
        ("run/reading.js", InterpretationOut, "side dataset"),
        ("frame/job_line.js", JobOut, "state progress error waiting"),
        ("frame/waiting.js", JobWaiting, "reason lane ahead behind"),
        ("frame/waiting.js", HeldJob, "job kind run state eta_seconds"),
        ("frame/parts.js", JobProgress, "stage step steps phase epoch epochs eta_seconds stage_eta_seconds"),
        ("run/rates.js", LrFindOut, "phase rate agreement agreement_reason sweeps freeze advice"),
        ("run/rates.js", LrFindOut, "suggestions spread_decades reasons"),
        ("run/story.js", RunOut, "lineage children cautions rates curves"),
        ("run/story.js", Ancestor, "id name kind recipe error_rate deleted"),
        ("run/story.js", PhaseRate, "phase rate agreement lr_max"),
        ("run/story.js", CurveOut, "phase word sentence"),
        (
            "run/header.js",
            RunOut,
            "id name kind state arch dataset device precision precision_reason seed error_rate_margin tags note",
        ),
        ("run/header.js", RunOut, "created_at started_at finished_at seconds"),
        ("run/shown.js", RunOut, "id kind state job artifacts"),
        ("run/files.js", ArtifactOut, "name bytes sha256"),
        (
            "run/deletion.js",
            DependentsOut,
            "deletable busy aliases version children child_count predict_job_count interpretations files bytes",
        ),
        ("run/settings.js", RunOut, "config changed"),
        ("frame/figures.js", RunOut, "rate_searches"),
        ("train/plan.js", RunOut, "config artifacts kind state"),
        ("train/plan.js", ConfigOut, "presets fields"),
        ("train/plan.js", ConfigFieldOut, "name kinds recipe default"),
        ("train/fields.js", ConfigFieldOut, "meaning type choices words pair unit least most above below"),
        ("train/form.js", PresetOut, "name title meaning begins_from_run"),
        ("train/archs.js", ArchitectureOut, "name parameters relative_cost measured memory_bytes weights family"),
        ("train/archs.js", PaceOut, "images_per_second device peak_memory_bytes"),
        ("train/archs.js", WeightsOut, "in_reach hint"),
        ("train/forecast.js", DryRun, "config forecast"),
        ("train/forecast.js", ForecastOut, "total_seconds total_seconds_low total_seconds_high peak_memory_bytes"),
        ("train/forecast.js", FieldProblem, "field detail hint"),
        ("train/rate.js", LrFindOut, "suggestions agreement_reason"),
        ("jobs/jobs.js", JobOut, "id state lane waiting finished_at"),
        ("jobs/items.js", JobOut, "id kind run state progress error waiting started_at finished_at"),
        ("jobs/workers.js", WorkerOut, "name lanes device device_kind memory_bytes job"),
        ("jobs/workers.js", WorkersJob, "job kind run state since progress"),
        ("run/rates.js", RunOut, "rate_searches"),
        ("run/header.js", RunDataset, "name items breeds drawn"),
        ("run/shown.js", ArtifactOut, "name"),
        ("run/shown.js", JobOut, "error resumable"),
        ("run/curves.js", Metrics, "epochs"),
        ("run/curves.js", EpochOut, "phase epoch train_loss valid_loss error_rate seconds"),
        ("run/curves.js", Metrics, "batches"),
        ("run/curves.js", Batches, "step"),
        ("runs/rows.js", RunSummary, "id name kind state arch dataset error_rate created_at job"),
        ("runs/rows.js", RunSummary, "recipe tags note error_rate_margin seconds spark"),
        ("runs/rows.js", RunDataset, "name drawn"),
        ("runs/rows.js", JobOut, "id progress waiting"),
        ("runs/runs.js", PageOut, "items next_cursor"),
        ("data/dataset.js", DatasetOut, "name drawn items vocab label_rule summary runs"),
        ("data/duplicates.js", DatasetOut, "name revision near_duplicates near_duplicates_missing"),
        (
            "data/duplicates.js",
            NearDuplicatesOut,
            "valid_pct split_seed near_missing complete across_split labels_differ anywhere",
        ),
        ("data/duplicates.js", CrossingPairs, "count byte near valid_items examples"),
        (
            "data/duplicates.js",
            CrossingPairOut,
            "kind distance first first_label first_item second second_label second_item",
        ),
        ("data/data.js", DatasetSummary, "name drawn items breeds fewest most runs created_at"),
        ("data/breeds.js", DatasetItem, "path image width height"),
        ("data/importing.js", JobOut, "id state dataset progress error waiting"),
        ("data/transfer.js", UploadOut, "id length offset"),
        ("data/adding.js", UploadOut, "id name length offset job"),
        ("data/trial.js", RuleTrialOut, "photos labelled labels complete notes others counts examples without_label"),
        ("frame/session.js", SessionOut, "key scope"),
        ("models/served.js", ModelOut, "version run arch dataset drawn aliases"),
        (
            "models/versions.js",
            ModelOut,
            "version run arch dataset drawn error_rate calibration_error aliases canary_of",
        ),
        ("models/aliases.js", AliasOut, "alias version canary before"),
        ("models/aliases.js", CanaryOut, "version share"),
        ("models/aliases.js", MoveOut, "how version at"),
        (
            "models/aliases.js",
            ComparisonOut,
            "version compared agreement mean_difference max_difference failed dropped",
        ),
        ("models/aliases.js", AgreementOut, "share low high"),
        ("models/shadow.js", ShadowOut, "is_shadow against"),
        ("models/shadow.js", PairOut, "served shadow photos mean_difference"),
        ("models/model.js", ModelDetail, "choices error_rate calibration_error created_at"),
        ("models/ways.js", ChoiceOut, "machine way reason candidates chosen_at"),
        ("models/ways.js", WayOut, "engine precision input streams"),
        (
            "models/ways.js",
            CandidateOut,
            "way images_per_second latency_ms top1_equal most_moved photos passed problem",
        ),
        ("models/exports.js", ExportProgress, "stage seconds"),
        ("models/drift.js", DriftOut, "days photos sentence figures missing"),
        ("models/drift.js", FigureDrift, "says seen psi by_chance verdict"),
        ("home/cards.js", Predictions, "model coverage predictions"),
        ("home/answer.js", ServedModel, "version run arch drawn calibrated note"),
        ("home/answer.js", Prediction, "breed species sure known sentence set top probabilities"),
        ("home/answer.js", Guess, "breed probability"),
        ("home/answer.js", SetCoverage, "asked note"),
        ("home/feedback.js", Prediction, "id breed probabilities"),
        ("home/feedback.js", FeedbackOut, "breed of_vocabulary"),
    ],
)
def test_what_the_page_reads_are_fields_that_the_service_has(module: str, model: type[BaseModel], fields: str) -> None:
    for field in fields.split():
        assert re.search(rf"[.{{,\s]{field}\b", MODULES[module]), field
        assert field in model.model_fields


def test_the_page_has_words_for_every_reason_to_leave_a_file_out() -> None:
    (told,) = re.findall(r"^const LEFT_OUT = \{\n(.*?)^\};", MODULES["data/dataset.js"], re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^  (\w+): ", told, re.MULTILINE)) == set(get_args(ExclusionCode))


def test_the_page_has_words_for_every_reason_to_wait() -> None:
    (told,) = re.findall(r"^const NOT_BUSY = \{\n(.*?)^\};", MODULES["frame/waiting.js"], re.MULTILINE | re.DOTALL)
    sentences = dict(re.findall(r'^  (\w+): .*=> ["`](.+)["`],$', told, re.MULTILINE))
    assert {*sentences, "busy"} == set(Reason)
    # The command has the same.
    waiting = {"lane": "light", "behind": None, "ahead": 0}
    said = {reason: where_it_waits({"waiting": {"reason": reason, **waiting}}) for reason in sentences}
    assert {reason: text.replace("${lane}", "light") for reason, text in sentences.items()} == said


def test_the_page_has_words_for_every_move_format_and_stage() -> None:
    for module, name, meant in (
        ("models/aliases.js", "HOW", get_args(How)),
        ("models/exports.js", "FORMATS", get_args(Form)),
        ("models/exports.js", "STAGES", STAGES),
    ):
        (told,) = re.findall(rf"^const {name} = \{{(.*?)\}};", MODULES[module], re.MULTILINE | re.DOTALL)
        assert set(re.findall(r"(?:^|[{,] ?)\s*(\w+): [\"\[]", told, re.MULTILINE)) == set(meant), name


def test_an_alias_is_what_the_service_takes_for_one() -> None:
    pattern = TypeAdapter(AliasName).json_schema()["pattern"]
    (said,) = re.findall(r'^const ALIAS = "(.+)";', MODULES["models/steps.js"], re.MULTILINE)
    assert "^" + said.replace(r"\\-", "-") + "$" == pattern


def test_only_what_can_be_a_datasets_name_is_asked_for() -> None:
    pattern = TypeAdapter(DatasetName).json_schema()["pattern"]
    assert f"const DATASET_NAME = /{pattern}/;" in MODULES["frame/address.js"]


def test_only_one_module_opens_a_stream() -> None:
    assert {name for name, text in MODULES.items() if "EventSource(" in text} == {"frame/stream.js"}
    assert SCRIPTS.count("new EventSource(") == 1


def test_charts_have_a_colour_of_the_page_for_each_that_the_server_draws_with() -> None:
    roles = dict(re.findall(r'"(#[0-9A-F]{6})": "(--chart-\w+)"', MODULES["frame/theme.js"]))
    drawn = {value for name, value in vars(palette).items() if name.isupper() and isinstance(value, str)}
    assert set(roles) == drawn
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")[:2]
    for colour, role in roles.items():
        said = colour.lower() if len(set(colour[1:])) > 1 else colour[:4].lower()
        assert f"{role}: {said};" in light
        assert re.search(rf"{role}: #[0-9a-f]{{3,6}};", dark)
    shades = re.findall(r"--chart-shades: ([^;]+);", STYLE)
    assert shades[0].split(", ") == [colour.lower() for colour in palette.BLUES]
    assert len(shades[1].split(", ")) == len(palette.BLUES)


def test_errors_have_a_line_of_their_own_that_nothing_else_writes() -> None:
    assert re.search(r'<p id="trouble" role="alert"></p>', PAGE)
    assert {name for name, text in MODULES.items() if '"trouble"' in text} == {"frame/service.js"}
    assert {name for name, text in MODULES.items() if 'byId("served")' in text} == {"models/served.js"}
