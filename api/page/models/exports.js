// A version for use elsewhere: what each format is for, and saving it.

import { at } from "../frame/address.js";
import { byId, make } from "../frame/parts.js";
import { askWhetherMade } from "../frame/service.js";

const FORMATS = {
  onnx: ["ONNX", "For ONNX Runtime: on servers, on telephones and in browsers."],
  openvino: ["OpenVINO", "For OpenVINO: the quickest on most processors without a GPU."],
  torchscript: ["TorchScript", "For torch alone, from Python or C++, without the code of a network."],
  safetensors: ["safetensors", "The weights themselves: for training on, or for another program."],
};
const STAGES = {
  waiting: "Waiting for another export", fetch: "Fetching the model", load: "Loading the model", convert: "Converting the model",
  check: "Comparing its answers with the model’s", pack: "Packing the zip",
};
const AGAIN_MS = 1000;

export function showExports(version) {
  byId("exports").replaceChildren(...Object.entries(FORMATS).map(([form, [name, use]]) => exportCard(version, form, name, use)));
}

function exportCard(version, form, name, use) {
  const told = make("p", { class: "quiet", role: "status" });
  const button = make("button", { type: "button", class: "secondary", "aria-label": `Save as ${name}` }, "Save");
  button.addEventListener("click", async () => {
    button.disabled = true;
    told.className = "quiet";
    try {
      await save(`/models/${version}/export?format=${form}`, (text) => { told.textContent = text; }, () => button.isConnected && !byId("view-model").hidden);
    } catch (error) {
      told.textContent = error.message;
      told.className = "bad";
    }
    button.disabled = false;
  });
  return make("li", { class: "card" }, make("h3", {}, name), make("p", {}, use), button, told);
}

// It is made when it is first asked for, which takes from seconds to minutes; nobody waits for it in another view.
async function save(path, say, isSeen) {
  for (let making = await askWhetherMade(path); making; making = await askWhetherMade(path)) {
    say(`${STAGES[making.stage] ?? making.stage} … ${Math.round(making.seconds)} s`);
    await new Promise((done) => { setTimeout(done, AGAIN_MS); });
    if (!isSeen()) return say("");
  }
  if (!isSeen()) return say("");
  say("Ready: the browser saves it.");
  make("a", { href: at(path), download: "" }).click();
  return null;
}
