"""What can be known of deploy/kubernetes without a cluster: that it holds together, and says what compose says."""

import json
import re
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from api.http.scopes import SCOPES, Rule
from api.http.stopping import PATIENT_SECONDS
from store.cache_names import uploads_folder
from store.lanes import Lane
from store.settings import Settings
from worker.lanes import chosen_lanes

Object = dict[str, Any]

HOUSE = Path(__file__).parent.parent
FOLDER = HOUSE / "deploy" / "kubernetes"
BASE, CPU, GPU = FOLDER / "base", FOLDER / "overlays" / "cpu", FOLDER / "overlays" / "gpu"
OURS = {"api", "worker", "worker-light", "repair"}
STORES = {"postgres": 5432, "redis": 6379, "objects": 8333}
MOUNTED = "/run/secrets/pedigree"
START = ["/bin/sh", "/etc/pedigree/with-secrets.sh"]
OF_THE_STORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"}
COMPONENT = "app.kubernetes.io/component"


def documents(path: Path) -> list[Object]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one is not None]


def kustomization(folder: Path) -> Object:
    (only,) = documents(folder / "kustomization.yaml")
    return only


OBJECTS = [one for name in kustomization(BASE)["resources"] for one in documents(BASE / name)]
WORKLOADS = {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] in {"Deployment", "StatefulSet", "Job"}}
PODS: dict[str, Object] = {name: one["spec"]["template"]["spec"] for name, one in WORKLOADS.items()}
LABELS: dict[str, Object] = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in WORKLOADS.items()}
COMPOSE: Object = yaml.safe_load((HOUSE / "docker-compose.yml").read_text())


def of_kind(kind: str) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


def main_container(name: str) -> Object:
    (only,) = (one for one in PODS[name]["containers"] if one["name"] == name)
    found: Object = only
    return found


def containers() -> Iterator[tuple[str, Object]]:
    for name, pod in PODS.items():
        for one in [*pod["containers"], *pod.get("initContainers", [])]:
            yield f"{name}/{one['name']}", one


def settings_env(folder: Path) -> dict[str, str]:
    """The variables that a folder's generator of `settings` gives."""
    (made,) = (one for one in kustomization(folder)["configMapGenerator"] if one["name"] == "settings")
    lines = [line for name in made.get("envs", []) for line in (folder / name).read_text().splitlines()]
    lines = [line for line in [*lines, *made.get("literals", [])] if line and not line.startswith("#")]
    return dict(line.split("=", maxsplit=1) for line in lines)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What write-secrets.sh makes."""
    path = tmp_path_factory.mktemp("overlay") / "secrets.env"
    subprocess.run(["/bin/sh", FOLDER / "write-secrets.sh", path], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = subprocess.run(["/bin/sh", FOLDER / "write-secrets.sh", path], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    return dict(line.split("=", maxsplit=1) for line in path.read_text().splitlines())


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    schema = json.loads((HOUSE / "tests/kubernetes.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_object_is_what_kubernetes_allows(path: Path, specification: Draft202012Validator) -> None:
    found = documents(path)
    assert found
    assert [one["kind"] for one in found if not specification.is_valid(one)] == []


@pytest.mark.parametrize(
    ("name", "written", "slip"),
    [
        ("api", "readinessProbe", "readinessProb"),
        ("api", "maxUnavailable", "maxUnavailble"),
        ("worker", "allowPrivilegeEscalation", "allowPrivilegedEscalation"),
        ("postgres", "serviceName", "service"),
        ("redis", '"64Mi"', '"64mb"'),
        ("objects", '"RuntimeDefault"', '"Default"'),
        ("bucket", '"command"', '"cmd"'),
    ],
)
def test_a_slip_is_found(name: str, written: str, slip: str, specification: Draft202012Validator) -> None:
    changed = json.loads(json.dumps(WORKLOADS[name]).replace(written, slip))
    assert changed != WORKLOADS[name]
    assert specification.is_valid(WORKLOADS[name])
    assert not specification.is_valid(changed)


@pytest.mark.parametrize("folder", [BASE, CPU, GPU], ids=lambda folder: folder.name)
def test_a_folder_lists_what_is_in_it_and_nothing_else(folder: Path) -> None:
    said = kustomization(folder)
    generated = [*said.get("configMapGenerator", []), *said.get("secretGenerator", [])]
    listed = [*said.get("resources", []), *(patch["path"] for patch in said.get("patches", []))]
    listed += [name for one in generated for name in [*one.get("envs", []), *one.get("files", [])]]
    there = {path.name for path in folder.iterdir()} - {"kustomization.yaml", "secrets.env"}
    assert {name for name in listed if not name.startswith("..")} - {"secrets.env"} == there
    assert all((folder / name / "kustomization.yaml").exists() for name in listed if name.startswith(".."))
    assert len(listed) == len(set(listed))


def test_every_service_of_compose_has_its_counterpart() -> None:
    assert set(WORKLOADS) == set(COMPOSE["services"]) - {"migrate", "worker-gpu"}
    for name in OURS:
        (first,) = PODS[name]["initContainers"]
        assert first["name"] == "migrate"
        assert first["args"] == COMPOSE["services"]["migrate"]["command"]
        assert first["image"] == main_container(name)["image"], "one image for one pod"
    assert all("initContainers" not in PODS[name] for name in set(PODS) - OURS)


def test_images_are_those_of_compose_and_ours_have_our_version() -> None:
    version = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]["version"]
    for name in WORKLOADS:
        image = COMPOSE["services"][name]["image"]
        assert main_container(name)["image"] == (f"{image}:{version}" if name in OURS else image), name
    ours = {main_container(name)["image"].split(":")[0] for name in OURS}
    images = kustomization(CPU)["images"]
    assert {one["name"] for one in images} == ours
    assert all(one["newTag"] == version for one in images)


def test_limits_and_grace_are_those_of_compose() -> None:
    for name in WORKLOADS:
        service = COMPOSE["services"][name]
        limits = main_container(name)["resources"]["limits"]
        memory = re.sub(r"\$\{\w+:-(.*)\}", r"\1", service["mem_limit"])
        assert limits["memory"] == memory.replace("g", "Gi"), name
        cpus = re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(service["cpus"]))
        assert limits.get("cpu", "0") == cpus, f"{name}: no limit there is none here"
        grace = int(service.get("stop_grace_period", "10s").removesuffix("s"))
        assert PODS[name]["terminationGracePeriodSeconds"] >= grace, name


def test_commands_are_those_of_compose() -> None:
    for name in OURS - {"api"}:
        assert main_container(name)["args"] == COMPOSE["services"][name]["command"], name
    lanes = {name: chosen_lanes(main_container(name)["args"][3:]) for name in ("worker", "worker-light")}
    assert lanes == {"worker": {Lane.TRAIN}, "worker-light": {Lane.LIGHT}}
    (serve,) = re.findall(
        r'^FROM runtime AS api\n(?:.*\n)*?CMD \["(.*)"\]', (HOUSE / "Dockerfile").read_text(), re.MULTILINE
    )
    assert " ".join(serve.split('", "')) in main_container("api")["args"][-1]
    redis = main_container("redis")["args"][0]
    assert redis == COMPOSE["services"]["redis"]["command"][0].replace("$$", "$")
    said = main_container("objects")["args"][0]
    assert [one for one in COMPOSE["services"]["objects"]["command"] if one not in said] == []
    assert '"actions": ["Admin", "Read", "Write", "List", "Tagging"]' in said


def test_everything_is_closed_as_compose_has_it() -> None:
    for name, pod in PODS.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, f"{name}: REDIS_PORT and the like are not ours"
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert min(security["runAsUser"], security["runAsGroup"]) > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert ("initContainers" in pod) == pod.get("shareProcessNamespace", False), "compose's init"
    for name, one in containers():
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert set(one["resources"]["requests"]) == {"cpu", "memory", "ephemeral-storage"}, name
        assert {"memory", "ephemeral-storage"} <= set(one["resources"]["limits"]), name
        assert any(mount["mountPath"] == "/tmp" for mount in one["volumeMounts"]), name  # noqa: S108 - of the container
    (namespace,) = of_kind("Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_selector_finds_its_pods() -> None:
    for name, one in WORKLOADS.items():
        assert LABELS[name][COMPONENT] == name
        if one["kind"] != "Job":
            assert one["spec"]["selector"]["matchLabels"] == {COMPONENT: name}
    for name, one in of_kind("Service").items():
        assert one["spec"]["selector"] == {COMPONENT: name}
        ports = {port["name"]: port["containerPort"] for port in main_container(name)["ports"]}
        assert all(ports[port["targetPort"]] == port["port"] for port in one["spec"]["ports"]), name
    assert set(of_kind("Service")) == {"api", *STORES}
    for name, one in WORKLOADS.items():
        assert one["kind"] != "StatefulSet" or one["spec"]["serviceName"] == name
    assert of_kind("PodDisruptionBudget")["api"]["spec"]["selector"] == {"matchLabels": {COMPONENT: "api"}}
    assert PODS["api"]["topologySpreadConstraints"][0]["labelSelector"] == {"matchLabels": {COMPONENT: "api"}}


def test_everything_that_is_named_is_defined(secrets: dict[str, str]) -> None:
    generated = {one["name"] for one in kustomization(BASE)["configMapGenerator"]}
    (secret,) = kustomization(CPU)["secretGenerator"]
    used = set()
    for name, pod in PODS.items():
        assert pod["serviceAccountName"] in of_kind("ServiceAccount"), name
        volumes = {one["name"]: one for one in pod["volumes"]}
        volumes |= {one["metadata"]["name"]: one for one in WORKLOADS[name]["spec"].get("volumeClaimTemplates", [])}
        mounted = {
            mount["name"]
            for one in [*pod["containers"], *pod.get("initContainers", [])]
            for mount in one["volumeMounts"]
        }
        assert mounted == set(volumes), name
        for volume in volumes.values():
            assert "configMap" not in volume or volume["configMap"]["name"] in generated
            assert "persistentVolumeClaim" not in volume or volume["persistentVolumeClaim"]["claimName"] in of_kind(
                "PersistentVolumeClaim"
            )
            if "secret" in volume:
                assert volume["secret"]["secretName"] == secret["name"]
                assert volume["secret"]["defaultMode"] == 0o440
                used |= {item["key"] for item in volume["secret"]["items"]}
    for name, one in containers():
        assert all(source["configMapRef"]["name"] in generated for source in one.get("envFrom", [])), name
        ports = {port["name"] for port in one.get("ports", [])}
        probes = [one[probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe") if probe in one]
        assert all(probe["httpGet"]["port"] in ports for probe in probes if "httpGet" in probe), name
    assert used == set(secrets), "each pod is given what it needs, and nothing is made that nobody needs"


def test_settings_are_those_that_the_service_knows(secrets: dict[str, str]) -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    shared = settings_env(BASE) | settings_env(CPU)
    for name in OURS:
        (volume,) = (one for one in PODS[name]["volumes"] if one["name"] == "secrets")
        given = {item["path"]: secrets[item["key"]] for item in volume["secret"]["items"]}
        given |= shared | {one["name"]: one["value"] for one in main_container(name).get("env", [])}
        assert set(given) <= known | OF_THE_STORE, name
        assert given.keys() >= OF_THE_STORE, name
        settings = Settings.model_validate(given)
        assert settings.artifacts_url == COMPOSE["x-settings"]["ARTIFACTS_URL"].replace(
            "${S3_BUCKET:-pedigree}", "pedigree"
        )
        assert f"@postgres:{STORES['postgres']}/" in settings.database_url
        assert f"@redis:{STORES['redis']}/" in settings.redis_url
        assert given["AWS_ENDPOINT_URL"] == COMPOSE["x-settings"]["AWS_ENDPOINT_URL"]
        assert given["AWS_REGION"] == COMPOSE["x-settings"]["AWS_REGION"]


def test_secrets_are_files_and_none_is_committed(secrets: dict[str, str]) -> None:
    assert all(re.fullmatch(r"[a-z0-9]{48}", value) for name, value in secrets.items() if not name.endswith("_URL"))
    assert len(set(secrets.values())) == len(secrets)
    assert secrets["POSTGRES_PASSWORD"] in secrets["DATABASE_URL"]
    assert secrets["REDIS_PASSWORD"] in secrets["REDIS_URL"]
    for name, one in containers():
        assert not {variable["name"] for variable in one.get("env", [])} & set(secrets), name
        if one.get("envFrom"):
            assert one["command"][:2] == START, name
            mounts = {mount["mountPath"] for mount in one["volumeMounts"]}
            assert {MOUNTED, "/etc/pedigree"} <= mounts, name
    command = ["git", "check-ignore", "--quiet", "--no-index", str(CPU / "secrets.env")]
    ignored = subprocess.run(command, cwd=HOUSE, check=False)
    assert ignored.returncode == 0


def test_a_program_starts_with_the_files_as_its_variables(tmp_path: Path) -> None:
    value = "postgresql://a:b'c$d \"e@postgres/x"
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "DATABASE_URL").write_text(value)
    (tmp_path / "DATABASE_URL").symlink_to("..data/DATABASE_URL")
    command = ["/bin/sh", str(BASE / "with-secrets.sh"), "/bin/sh", "-c", 'printf %s "$DATABASE_URL"; exit 7']
    ended = subprocess.run(command, env={"SECRETS": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == (value, 7)
    nothing = subprocess.run(command, env={"SECRETS": str(tmp_path / "none")}, capture_output=True, check=False)
    assert nothing.returncode not in {0, 7}, "without its secrets nothing starts"


def chosen(selector: Object, labels: Object) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def lets(rules: list[Object], peers: str, labels: Object, port: int) -> bool:
    """Whether one of a policy's rules names the pod, of this namespace, and the port."""
    return any(
        chosen(peer["podSelector"], labels)
        for rule in rules
        if port in [one["port"] for one in rule["ports"]]
        for peer in rule[peers]
        if "podSelector" in peer and "namespaceSelector" not in peer
    )


def reaches(source: str, target: str, port: int) -> bool:
    """Whether every policy together lets a pod through to another: out of the one, and into the other."""
    policies = [one["spec"] for one in of_kind("NetworkPolicy").values()]
    out = [one for one in policies if "Egress" in one["policyTypes"] and chosen(one["podSelector"], LABELS[source])]
    into = [one for one in policies if "Ingress" in one["policyTypes"] and chosen(one["podSelector"], LABELS[target])]
    assert out, f"{source} may go anywhere"
    assert into, f"{target} is open to everybody"
    leaves = any(lets(one.get("egress", []), "to", LABELS[target], port) for one in out)
    return leaves and any(lets(one.get("ingress", []), "from", LABELS[source], port) for one in into)


def test_networks_let_through_what_is_needed_and_nothing_else() -> None:
    ports = {8000, 8888, 9333, 18888, 19333, *STORES.values()}
    found = {
        (source, target, port) for source in PODS for target in PODS for port in ports if reaches(source, target, port)
    }
    needed = {(source, target, port) for source in OURS for target, port in STORES.items()}
    assert found == needed | {("bucket", "objects", port) for port in (8888, 9333, 18888, 19333)}


def test_only_those_have_a_way_out_that_have_one_in_compose_but_for_traces() -> None:
    policies = of_kind("NetworkPolicy")
    assert policies["nothing-unless-said"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        peers = [peer for rule in policy["spec"].get("egress", []) for peer in rule["to"]]
        assert any("ipBlock" in peer for peer in peers) == (name == "out")
        outside = [peer for peer in peers if "namespaceSelector" in peer]
        assert bool(outside) == (name in {"names", "traces"})
    out = {name for name in PODS if chosen(policies["out"]["spec"]["podSelector"], LABELS[name])}
    assert out == {name for name in WORKLOADS if "out" in COMPOSE["services"][name]["networks"]}
    (rule,) = policies["out"]["spec"]["egress"]
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"}
    assert private <= {one for peer in rule["to"] for one in peer["ipBlock"]["except"]}
    (entry,) = policies["api"]["spec"]["ingress"]
    assert all(peer["namespaceSelector"]["matchLabels"] for peer in entry["from"]), "an empty one means all"
    traces = policies["traces"]["spec"]
    assert {name for name in PODS if chosen(traces["podSelector"], LABELS[name])} == OURS
    peers = [{"namespaceSelector": {"matchLabels": {"pedigree/takes-traces": "yes"}}}]
    assert traces["egress"] == [{"to": peers, "ports": [{"protocol": "TCP", "port": 4318}]}]


def test_the_api_is_replaced_without_a_gap() -> None:
    spec = WORKLOADS["api"]["spec"]
    assert spec["replicas"] > of_kind("PodDisruptionBudget")["api"]["spec"]["minAvailable"] > 0
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    rest = int(main_container("api")["lifecycle"]["preStop"]["exec"]["command"][1])
    assert PODS["api"]["terminationGracePeriodSeconds"] > rest + PATIENT_SECONDS
    assert "--ready-fd 3 3>" in main_container("api")["args"][-1], "the model is loaded before requests are taken"


def test_probes_ask_what_answers_without_a_key_and_kill_nobody_who_waits() -> None:
    for name in set(PODS) - {"bucket"}:
        one = main_container(name)
        assert "readinessProbe" in one, name
        assert ("livenessProbe" in one) == (name == "api"), f"{name}: killing what waits for another helps nobody"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert SCOPES["GET", main_container("api")[probe]["httpGet"]["path"]] is Rule.OPEN
    worker = (HOUSE / "Dockerfile").read_text().split("FROM runtime AS worker\n")[1]
    (check,) = re.findall(r'^    CMD \["(.*)"\]$', worker.split("FROM runtime AS api")[0], re.MULTILINE)
    for name in OURS - {"api"}:
        assert main_container(name)["readinessProbe"]["exec"]["command"] == [*START, *check.split('", "')], name
    pg = main_container("postgres")["readinessProbe"]["exec"]["command"]
    assert ["CMD", *pg] == COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    redis = main_container("redis")["readinessProbe"]["exec"]["command"]
    assert redis[-1] == COMPOSE["services"]["redis"]["healthcheck"]["test"][1]


def test_an_upload_goes_on_at_whichever_api_its_next_piece_comes_to() -> None:
    (cache,) = re.findall(r"PEDIGREE_CACHE=(\S+)", (HOUSE / "Dockerfile").read_text())
    (at,) = (one["mountPath"] for one in main_container("api")["volumeMounts"] if one["name"] == "uploads")
    assert Path(at) == uploads_folder(Path(cache))
    assert of_kind("PersistentVolumeClaim")["uploads"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_with_a_gpu_the_worker_that_learns_has_one() -> None:
    assert kustomization(GPU)["resources"] == ["../cpu"]
    (patch,) = documents(GPU / "worker.yaml")
    (name,) = {patch["metadata"]["name"]} & {name for name in WORKLOADS if WORKLOADS[name]["kind"] == patch["kind"]}
    pod = patch["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["name"] == main_container(name)["name"] == "worker"
    assert container["env"] == [
        {"name": "PEDIGREE_DEVICE", "value": COMPOSE["services"]["worker-gpu"]["environment"]["PEDIGREE_DEVICE"]}
    ]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert {"nodeSelector", "tolerations"} <= set(pod)
    assert main_container("worker")["env"] == [{"name": "PEDIGREE_DEVICE", "value": "cpu"}]
