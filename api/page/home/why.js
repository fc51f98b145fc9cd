// The part of a photo that speaks for a breed, shown in the photo's place and taken away again.

import { make, words } from "../frame/parts.js";
import { askForPicture } from "../frame/service.js";

export function whyButton(file, version, breed, picture) {
  const button = make("button", { type: "button", class: "secondary" }, "Why?");
  const said = make("p", { class: "quiet", role: "status" });
  const plain = { src: picture.src, alt: picture.alt };
  let heat = null;

  async function show() {
    if (heat && picture.src === heat.src) return put(plain, "Why?", "");
    heat ??= await heatOf(file, version, breed);
    return put(heat, "The photo alone", `What is yellow speaks most for ${words(breed)}; what is not coloured has no part in it.`);
  }
  function put(shown, offer, text) {
    Object.assign(picture, shown);
    button.textContent = offer;
    said.textContent = text;
  }
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.className = "quiet";
    if (!heat) said.textContent = "Looking…";
    try {
      await show();
    } catch (error) {
      said.textContent = error.message;
      said.className = "bad";
    }
    button.disabled = false;
  });
  return { button, said };
}

async function heatOf(file, version, breed) {
  const form = new FormData();
  form.append("file", file);
  const query = new URLSearchParams({ model: version, breed });
  const map = await askForPicture(`/predict/explain?${query}`, { method: "POST", body: form });
  return {
    src: URL.createObjectURL(map),
    alt: `The middle of the photo ${file.name}; what speaks for ${words(breed)} is bright`,
  };
}
