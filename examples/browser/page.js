// The page: a model in ONNX, an engine in WebAssembly, and a photo, all in this browser.

import { squareOf } from "./square.js";

const ORT = new URL("onnxruntime-web/", import.meta.url);
const MODEL = new URL("model/", import.meta.url);

export async function openModel() {
  const ort = await import(new URL("ort.wasm.min.mjs", ORT));
  ort.env.wasm.wasmPaths = ORT.href;
  ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
  const manifest = await (await fetch(new URL("manifest.json", MODEL))).json();
  const session = await ort.InferenceSession.create(new URL("model.onnx", MODEL).href);
  return { ort, manifest, session };
}

// Every breed and its probability, the likeliest first.
export async function predict({ ort, manifest, session }, photo) {
  const { presize } = manifest.prepare;
  const pixels = new ort.Tensor("uint8", await squareOf(photo, presize), [1, presize, presize, 3]);
  const { probabilities } = await session.run({ pixels });
  const found = manifest.vocab.map((breed, index) => ({ breed, probability: probabilities.data[index] }));
  return found.sort((one, other) => other.probability - one.probability);
}

const said = document.getElementById("said");

function show(found) {
  const rows = found.slice(0, 5).map(({ breed, probability }) => {
    const row = document.createElement("li");
    row.textContent = `${breed} ${(100 * probability).toFixed(1)}%`;
    return row;
  });
  document.getElementById("breeds").replaceChildren(...rows);
}

async function start() {
  const model = await openModel();
  said.textContent = "Choose a photo.";
  document.getElementById("photo").addEventListener("change", async ({ target }) => {
    if (!target.files[0]) return;
    said.textContent = "Looking…";
    try {
      show(await predict(model, target.files[0]));
      said.textContent = target.files[0].name;
    } catch (error) {
      said.textContent = `This photo cannot be read: ${error.message}`;
    }
  });
}

start().catch((error) => {
  said.textContent = `The model cannot be loaded: ${error.message}. README.md says which files belong beside this page.`;
});
