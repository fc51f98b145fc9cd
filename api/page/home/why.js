// The part of a photo that speaks for a breed, shown in the photo's place and taken away again.

import { make, words } from "../frame/parts.js";
import { askForPicture } from "../frame/service.js";

export function whyButton(file, version, breed, picture) {
  const button = make("button", { type: "button", class: "secondary" }, "Why?");
  const said = make("p", { class: "quiet", role: "status" });
  const plain = { src: picture.src, alt: picture.alt };
  const glowing = `The middle of the photo ${file.name}; what speaks for ${words(breed)} is bright`;
  let heat = null;
  let isHot = false;

  async function show() {
    if (isHot) return put(plain, "Why?", "");
    heat ??= await heatOf(file, version, breed);
    // The photo has got another answer meanwhile, or is gone.
    if (!button.isConnected) return null;
    return put({ src: passing(heat, picture), alt: glowing }, "The photo alone", `What is yellow speaks most for ${words(breed)}; the darker the colour, the less it speaks for it, and what is black has no part in it.`);
  }
  function put(shown, offer, text) {
    isHot = shown !== plain;
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

// An address of a picture that holds its bytes no longer than until they are read.
function passing(blob, picture) {
  const address = URL.createObjectURL(blob);
  picture.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  return address;
}

function heatOf(file, version, breed) {
  const form = new FormData();
  form.append("file", file);
  const query = new URLSearchParams({ model: version, breed });
  return askForPicture(`/predict/explain?${query}`, { method: "POST", body: form });
}
