"""A dataset with wrong labels, and a run whose predictions speak against them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from ml.data.manifest import Manifest
from store.db.models import Dataset, Run
from store.keys import manifest_key
from tests.api.records import VOCAB, Records, jpeg
from tests.api.web import TestClient

EACH = 8
WRONG: Mapping[int, str] = {0: "pug", 3: "pug", 9: "Abyssinian", 12: "pug", 17: "Birman", 20: "Abyssinian"}
"""Of the items whose label is wrong, what the predictions say instead."""


def photos(records: Records, folder: Path, name: str = "pets", vocab: Sequence[str] = VOCAB) -> Dataset:
    """Eight photos of each breed, in the order of their names."""
    folder.mkdir(parents=True)
    for number in range(EACH * len(vocab)):
        colour = (9 * number, 240 - 9 * number, 90)
        (folder / f"{vocab[number // EACH]}_{number:02}.jpg").write_bytes(jpeg(colour, (120, 90)))
    return records.dataset_of(folder, name)


def manifest_of(records: Records, dataset: Dataset) -> Manifest:
    return Manifest.model_validate_json(records.artifacts.get_bytes(manifest_key(dataset.revision)))


def predicted_run(records: Records, dataset: Dataset, wrong: Mapping[int, str] = WRONG) -> Run:
    """A run that is served, with predictions of all items; of those with a wrong label, of another breed."""
    run = records.served(dataset)
    records.artifact(run, "predictions.jsonl", predictions(manifest_of(records, dataset), wrong).encode())
    return run


def predictions(manifest: Manifest, wrong: Mapping[int, str] = WRONG, **more: object) -> str:
    """The lines of the file; the later an item, the surer the model."""
    lines = []
    for place, item in enumerate(manifest.items):
        breed = wrong.get(place, item.label)
        sure = 0.8 + 0.006 * place
        rest = (1 - sure) / (len(VOCAB) - 1)
        probabilities = {one: sure if one == breed else rest for one in VOCAB}
        row = {"item": place, "path": item.path, "actual": item.label, "loss": 9.0 + place, **more}
        lines.append(json.dumps({**row, "probabilities": probabilities}))
    return "\n".join(lines)


def revise(client: TestClient, base: str, *changes: dict[str, Any], **more: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    """Ask for the next revision of the pets, with these labels corrected."""
    body = {"base_revision": base, "changes": list(changes), **more}
    answer: httpx.Response = client.post("/datasets/pets/revisions", json=body)
    return answer
