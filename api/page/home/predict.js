// Which breed is on a photo.

import { feedbackOn, keptQuery } from "./feedback.js";
import { byId, drawnTag, make, percent, words } from "../frame/parts.js";
import { ask, askForPicture } from "../frame/service.js";

export function acceptPhotos() {
  const zone = byId("drop");
  byId("photo").addEventListener("change", ({ target }) => target.files[0] && predict(target.files[0]));
  for (const event of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(event, (happened) => {
      happened.preventDefault();
      zone.classList.toggle("over", event === "dragover");
      if (event === "drop" && happened.dataTransfer.files[0]) predict(happened.dataTransfer.files[0]);
    });
  }
}

async function predict(file) {
  const picture = make("img", { alt: `The photo ${file.name}`, src: URL.createObjectURL(file) });
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
  picture.addEventListener("error", () => picture.remove(), { once: true });
  const guesses = make("div", {}, make("p", { class: "quiet" }, "Looking…"));
  byId("answer").replaceChildren(picture, guesses);
  const form = new FormData();
  form.append("file", file);
  try {
    const { model, predictions: [found] } = await ask(`/predict?top_k=5${keptQuery()}`, { method: "POST", body: form });
    guesses.replaceChildren(make("h3", {}, headline(found)),
      found.known === false ? make("p", {}, "If it were one of them, it would be:") : "", ...found.top.map(guessBar),
      feedbackOn(found), whyButton(file, model.version, found.breed, picture),
      make("p", { class: "quiet" }, `Version ${model.version}, ${model.arch} `, drawnTag(model.drawn),
        model.calibrated ? "" : " Its probabilities are not calibrated.",
        found.known === null ? " It cannot say whether a photo shows any of its breeds." : "",
        model.note ? ` ${model.note}` : "",
        model.drawn ? " It learned from drawn pictures: its answers on photos mean nothing." : ""));
  } catch (error) {
    guesses.replaceChildren(make("p", { class: "bad", role: "alert" }, error.message));
  }
}

// The part of the photo that speaks for the breed is shown in its place.
function whyButton(file, version, breed, picture) {
  const button = make("button", { type: "button" }, "Why?");
  const said = make("p", { class: "quiet" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = "Looking…";
    const form = new FormData();
    form.append("file", file);
    try {
      const query = new URLSearchParams({ model: version, breed });
      const map = await askForPicture(`/predict/explain?${query}`, { method: "POST", body: form });
      picture.alt = `The middle of the photo ${file.name}; what speaks for ${words(breed)} is bright`;
      picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
      picture.src = URL.createObjectURL(map);
      said.textContent = `What is yellow speaks most for ${words(breed)}; what is not coloured has no part in it.`;
    } catch (error) {
      said.textContent = error.message;
      button.disabled = false;
    }
  });
  return make("div", {}, button, said);
}

// A breed is named as the answer only where the service is sure of it; all else is the service's own sentence.
function headline({ sentence, species, sure }) {
  if (sure) return `${sentence}${species ? `, a ${species}` : ""}`;
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`;
}

function guessBar({ breed, probability }) {
  return make("div", { class: "bar" }, make("span", {}, words(breed)),
    make("meter", { min: 0, max: 1, value: probability, "aria-label": `${words(breed)}: ${percent(probability)}` }),
    make("span", { class: "number" }, percent(probability)));
}
