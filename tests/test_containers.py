"""What can be known of the containers without an engine."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from store.lanes import Lane
from store.settings import Settings
from worker.lanes import chosen_lanes

HOUSE = Path(__file__).parent.parent
OURS = {"migrate", "api", "worker", "worker-gpu", "worker-light", "repair"}
ONCE = {"migrate", "bucket"}
SECRETS = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"}

FIXED = {"DATABASE_URL", "REDIS_URL", "ARTIFACTS_URL", "PEDIGREE_DEVICE"}
"""Settings that the compose file gives itself."""
IN_THE_IMAGE = {"PEDIGREE_CACHE", "PEDIGREE_WEIGHTS"}
OF_THE_COMMAND = {"PEDIGREE_DATA", "PEDIGREE_URL", "PEDIGREE_DEBUG", "PEDIGREE_KEY", "PEDIGREE_KEY_FILE"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (HOUSE / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    schema = json.loads((HOUSE / "tests/compose.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_compose_file_is_what_the_specification_allows(
    compose: dict[str, Any], specification: Draft202012Validator
) -> None:
    assert [f"{error.json_path}: {error.message}" for error in specification.iter_errors(compose)] == []


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        ("api", {"enviroment": {}}),
        ("api", {"restart": "sometimes"}),
        ("worker", {"stop_grace_period": 60}),
        ("worker", {"volumes": ["worker-cache"]}),
        ("repair", {"depends_on": {"redis": {"condition": "service_health"}}}),
        ("redis", {"healthcheck": {"test": ["redis-cli", "ping"]}}),
        ("postgres", {"environment": {"POSTGRES_USER": True}}),
    ],
)
def test_a_slip_in_the_compose_file_is_found(
    compose: dict[str, Any], specification: Draft202012Validator, service: str, wrong: dict[str, Any]
) -> None:
    services = compose["services"] | {service: compose["services"][service] | wrong}
    assert not specification.is_valid(compose | {"services": services})


def test_every_part_of_the_service_is_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == OURS | {"postgres", "redis", "objects", "bucket"}


def test_secrets_have_no_default(compose: dict[str, Any]) -> None:
    text = (HOUSE / "docker-compose.yml").read_text()
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert uses, name
        assert all(use.startswith(":?") for use in uses), name
    for name, service in compose["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET(?!_FILE)|(?<!MAX_)KEY", variable):
                assert re.match(r"\$\{\w+:\?", value), f"{name}: {variable}"


def test_only_the_api_is_published_and_only_here(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


def test_everything_that_stays_up_is_restarted_and_looked_after(compose: dict[str, Any], dockerfile: str) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == ("on-failure" if name in ONCE else "unless-stopped"), name
        assert name in OURS | ONCE or "healthcheck" in service, name
    for target in ("api", "worker"):
        stage = dockerfile.split(f"FROM runtime AS {target}\n")[1].split("\nFROM ", maxsplit=1)[0]
        assert "HEALTHCHECK" in stage, target


def test_nothing_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["bucket"]["depends_on"] == {"objects": {"condition": "service_healthy"}}
    for name in OURS - {"migrate"}:
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "bucket": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }, name
    for needed in ("postgres", "redis", "objects"):
        assert services[needed]["healthcheck"]["test"]


def test_our_services_have_settings_that_the_settings_know(compose: dict[str, Any]) -> None:
    required = {str(field.alias) for field in Settings.model_fields.values() if field.is_required()}
    known = {str(field.alias) for field in Settings.model_fields.values()}
    for name in OURS:
        environment = compose["services"][name]["environment"]
        assert required <= set(environment), name
        assert {one for one in environment if one.startswith("PEDIGREE_")} <= known, name
        assert Settings.model_validate(filled(environment)).artifacts_url == "s3://pedigree"


def filled(environment: dict[str, str]) -> dict[str, str]:
    """What a container gets where `.env` has nothing but the secrets, each of them by its own name."""
    return {
        key: re.sub(r"\$\{(\w+):([?-])([^}]*)\}", lambda found: found[3] if found[2] == "-" else found[1], value)
        for key, value in environment.items()
    }


def test_every_documented_setting_reaches_the_containers_with_its_own_default(
    compose: dict[str, Any], dockerfile: str
) -> None:
    settings = (HOUSE / "docs/operations.md").read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    documented = {name for row in re.findall(r"^\| (`.*?) \|", settings, re.MULTILINE) for name in row.split("`")[1::2]}
    aliases = {str(field.alias): name for name, field in Settings.model_fields.items()}
    assert documented == set(aliases) | OF_THE_COMMAND
    assert all(f"{name}=/" in dockerfile for name in IN_THE_IMAGE)
    for service in OURS:
        environment = compose["services"][service]["environment"]
        got = Settings.model_validate(filled(environment))
        for name in documented - OF_THE_COMMAND - IN_THE_IMAGE - FIXED:
            assert environment[name].startswith(f"${{{name}:-"), f"{service}: {name}"
            default = Settings.model_fields[aliases[name]].default
            assert getattr(got, aliases[name]) == default, f"{service}: {name}"


def test_the_gpu_is_reserved_under_its_profile(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert all("deploy" not in compose["services"][name] for name in OURS - {"worker-gpu"})


def test_every_lane_has_its_worker_and_no_gpu_waits_for_an_import(compose: dict[str, Any]) -> None:
    commands = {name: one["command"] for name, one in compose["services"].items() if name.startswith("worker")}
    lanes = {name: chosen_lanes(command[command.index("worker") + 1 :]) for name, command in commands.items()}
    assert lanes == {"worker": {Lane.TRAIN}, "worker-gpu": {Lane.TRAIN}, "worker-light": {Lane.LIGHT}}


def test_every_service_is_closed_and_has_limits(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert any(mount.split(":")[0] == "/tmp" for mount in service["tmpfs"]), name  # noqa: S108 - of the container
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service), name
        assert service["pids_limit"] > 0, name
    added = {name: service["cap_add"] for name, service in compose["services"].items() if "cap_add" in service}
    assert set(added) == {"postgres", "redis", "objects"}, "ours need none"


def test_what_holds_data_is_on_a_network_without_a_way_out(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    networks = {name: set(service["networks"]) for name, service in compose["services"].items()}
    assert {name for name, on in networks.items() if "published" in on} == {"api"}
    assert {name for name, on in networks.items() if "out" in on} == {"worker", "worker-gpu", "worker-light", "repair"}
    assert all("inside" in on for on in networks.values())


def test_no_secret_is_on_a_command_line(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        words = json.dumps([service.get("command"), service.get("entrypoint"), service.get("healthcheck")])
        assert not any(f"${{{secret}" in words for secret in SECRETS), name
    assert "$$REDISCLI_AUTH" in json.dumps(compose["services"]["redis"]["command"]), "the shell's own, not compose's"


def test_images_are_pinned_or_built_here(compose: dict[str, Any], dockerfile: str) -> None:
    built = {one["image"] for one in compose["services"].values() if "build" in one}
    for name, service in compose["services"].items():
        image = service["image"]
        assert image in built or re.search(r":\d+\.\d+[\w.-]*$", image), f"{name}: {image}"
    (python,) = re.findall(r"^FROM (python\S+) AS base", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"python:3\.12\.\d+-slim-\w+", python)


def test_every_volume_is_declared(compose: dict[str, Any]) -> None:
    named = {
        mount.split(":")[0]
        for service in compose["services"].values()
        for mount in service.get("volumes", [])
        if not mount.startswith("${")
    }
    assert named | {"weights"} == set(compose["volumes"])


def test_both_targets_run_as_nobody_special(dockerfile: str) -> None:
    runtime = dockerfile.split(" AS runtime\n")[1]
    assert (
        runtime.index("USER pedigree") < runtime.index("FROM runtime AS worker") < runtime.index("FROM runtime AS api")
    )
    assert "USER root" not in dockerfile


def test_the_image_holds_every_package_and_the_locked_versions(dockerfile: str) -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    packages |= {"client"}  # a package of its own, which the command needs
    assert "--no-deps --no-build-isolation --editable . --editable client" in dockerfile
    copied = {parts[0] for parts in re.findall(r"^COPY (\w+) (\w+)$", dockerfile, re.MULTILINE)}
    assert copied == packages
    assert "--require-hashes --requirement requirements.lock" in dockerfile
    let_in = {line[1:] for line in (HOUSE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == packages | {"requirements.lock", "pyproject.toml", "README.md", "LICENSE"}


def test_what_the_images_start_exists(compose: dict[str, Any], dockerfile: str) -> None:
    started = [words.split('", "') for words in re.findall(r'^CMD \["(.*)"\]$', dockerfile, re.MULTILINE)]
    started += [compose["services"][name]["command"] for name in OURS - {"api"}]
    modules = {command[command.index("-m") + 1] for command in started}
    assert modules == {"api", "worker", "migrations", "worker.repair"}
    for module in modules:
        path = HOUSE / module.replace(".", "/")
        assert (path / "__main__.py").exists() or path.with_suffix(".py").exists(), module
