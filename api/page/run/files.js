// The files of a run, to be kept elsewhere.

import { at } from "../frame/address.js";
import { byId, cell, fill, make, size } from "../frame/parts.js";
import { registered, versionLink } from "../models/served.js";
import { writeNew } from "../frame/written.js";

const WHAT = {
  "model.safetensors": "the weights",
  "model.json": "what the weights are of: architecture, breeds, input",
  "judgement.safetensors": "how far its answers can be trusted",
  "features.safetensors": "what its network made of photos, so that breeds can be added",
  "predictions.jsonl": "the scores of its validation photos, a line each",
};

export async function showFiles(run, still) {
  byId("files").hidden = run.artifacts.length === 0;
  byId("no-files").hidden = run.artifacts.length > 0;
  byId("no-files").textContent = run.kind === "train" ? "It has no files yet: a training leaves them when it ends." : "A search for a rate leaves no files.";
  writeNew("files", [run.id, run.artifacts], () => fill("files", run.artifacts.map((one) => rowOf(run, one))));
  const version = (await registered()).find((one) => one.run === run.id);
  if (!still()) return;
  byId("files-version").hidden = !version;
  if (!version) return;
  writeNew("files-version", version.version, (place) =>
    place.replaceChildren("As ", versionLink(version.version), " it can be exported too: ONNX, OpenVINO, TorchScript, safetensors."));
}

function rowOf(run, { name, bytes, sha256 }) {
  return make("tr", {},
    cell(make("a", { href: at(`/runs/${run.id}/artifacts/${encodeURIComponent(name)}`), download: true }, name)),
    cell(WHAT[name] ?? "the scores of another dataset’s photos"), cell(size(bytes), true),
    make("td", { class: "hash", title: sha256 }, sha256.slice(0, 12)));
}
