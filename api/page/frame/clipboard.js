// Texts for people to take along.

import { make } from "./parts.js";

// Over plain http to another machine a page has no clipboard: then the text is selected.
async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

// A button that copies what the element has, and says so.
export function copyButton(code, options = { class: "secondary" }) {
  const button = make("button", { type: "button", ...options }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(code)) ? "Copied" : "Selected: copy it by keyboard";
  });
  return button;
}
