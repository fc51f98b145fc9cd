"""A run's files over HTTP: whole, in pieces, and only those that the run lists."""

import json
from collections.abc import Iterator
from hashlib import sha256

import pytest

from store import artifacts as store_module
from store.artifacts import ArtifactStore
from store.keys import run_key
from store.states import State
from tests.api.records import Records
from tests.api.web import TestClient, same_headers

WEIGHTS = bytes(range(256)) * 40


def test_a_listed_artifact_comes_whole_with_its_hash_and_a_name_to_keep_it_under(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 1000)
    run = records.served(content=WEIGHTS)
    for listed in client.get(f"/runs/{run.id}").json()["artifacts"]:
        answer = client.get(f"/runs/{run.id}/artifacts/{listed['name']}")
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(listed["bytes"]) == str(len(answer.content))
        assert answer.headers["etag"] == f'"{listed["sha256"]}"' == f'"{sha256(answer.content).hexdigest()}"'
        assert answer.headers["content-disposition"] == f'attachment; filename="run-{run.id}-{listed["name"]}"'
    assert client.get(f"/runs/{run.id}/artifacts/model.safetensors").content == WEIGHTS
    kinds = {name: _kind(client, f"/runs/{run.id}/artifacts/{name}") for name in ("model.safetensors", "model.json")}
    assert kinds == {"model.safetensors": "application/octet-stream", "model.json": "application/json"}
    assert _kind(client, f"/runs/{run.id}/artifacts/predictions.jsonl") == "application/x-ndjson"


def test_a_head_is_the_gets_and_reads_no_whole_file(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 10)
    run = records.served(content=WEIGHTS)
    path = f"/runs/{run.id}/artifacts/model.safetensors"
    whole = client.get(path)
    read = []
    pieces = ArtifactStore.pieces

    def counted(self: ArtifactStore, key: str, size: int) -> Iterator[bytes]:
        for piece in pieces(self, key, size):
            read.append(piece)
            yield piece

    monkeypatch.setattr(ArtifactStore, "pieces", counted)
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert same_headers(head) == same_headers(whole)
    assert len(read) < len(WEIGHTS) / 10 / 2


@pytest.mark.parametrize("name", ["model.bin", "%2e%2e", "..%2F1%2Fmodel.json", "runs%2F1%2Fmodel.json"])
def test_what_the_run_does_not_list_is_not_found(client: TestClient, records: Records, name: str) -> None:
    run = records.served()
    answer = client.get(f"/runs/{run.id}/artifacts/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_another_runs_files_and_unlisted_ones_of_the_store_are_out_of_reach(
    client: TestClient, records: Records, artifacts: ArtifactStore
) -> None:
    mine, other = records.served(), records.finished(records.dataset("others"))
    artifacts.put_bytes(run_key(mine.id, "secret.json"), b"{}")
    records.artifact(other, "predictions-9.jsonl", b"{}")
    for name in ("secret.json", "predictions-9.jsonl"):
        problem = client.get(f"/runs/{mine.id}/artifacts/{name}").json()
        assert problem["code"] == "not_found"
        assert problem["detail"] == f"run {mine.id} has no artifact '{name}'"
        assert problem["request"] == {"method": "GET", "path": f"/runs/{mine.id}"}


@pytest.mark.parametrize("name", ["model.safetensors", "anything"])
def test_an_unknown_runs_files_are_not_found(client: TestClient, name: str) -> None:
    answer = client.get(f"/runs/7/artifacts/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == "there is no run 7"


def test_a_model_that_is_still_to_come_names_its_job(client: TestClient, records: Records) -> None:
    run, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    answer = client.get(f"/runs/{run.id}/artifacts/model.safetensors")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert f"job {job.id} is running" in answer.json()["detail"]
    search, _ = records.run(records.dataset("others"), kind="lr_find")
    assert client.get(f"/runs/{search.id}/artifacts/model.json").json()["code"] == "wrong_kind"


def test_a_file_that_is_gone_or_cut_short_is_said_before_a_byte_is_sent(
    client: TestClient, records: Records, artifacts: ArtifactStore
) -> None:
    run = records.served(content=WEIGHTS)
    path, key = f"/runs/{run.id}/artifacts/model.safetensors", run_key(run.id, "model.safetensors")
    artifacts.put_bytes(key, WEIGHTS[:-1])
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "artifact_missing")
    assert answer.json()["detail"] == f"artifact {key} has 10239 bytes, the record says 10240"
    artifacts.delete(key)
    problem = json.loads(client.get(path).text)
    assert (problem["code"], problem["detail"]) == ("artifact_missing", f"the artifact store holds no {key}")


def _kind(client: TestClient, path: str) -> str:
    return str(client.get(path).headers["content-type"]).partition(";")[0]
