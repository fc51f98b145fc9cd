// The ways a photo comes to the page: dropped, pasted, chosen, or taken with a telephone's camera.

import { addressOf } from "../frame/address.js";
import { byId, make } from "../frame/parts.js";

const isHere = () => !byId("view-home").hidden;

// Call `take` with the photos of one gesture.
export function acceptPhotos(take) {
  for (const name of ["photo", "camera"]) {
    byId(name).addEventListener("change", ({ target }) => {
      if (target.files.length) take([...target.files]);
      // The same photo chosen again is a change again.
      target.value = "";
    });
  }
  // Beside the zone too: a browser would leave the page and show the file.
  document.addEventListener("dragover", (event) => isHere() && drag(event, true));
  document.addEventListener("dragleave", (event) => isHere() && !event.relatedTarget && drag(event, false));
  document.addEventListener("drop", (event) => {
    if (!isHere()) return;
    drag(event, false);
    const isFolder = [...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
    if (isFolder) refuseFolder();
    else if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData?.files ?? []];
    if (!isHere() || !files.length) return;
    event.preventDefault();
    take(files);
  });
}

function drag(event, isOver) {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  byId("drop").classList.toggle("over", isOver);
}

function refuseFolder() {
  byId("photos-told").replaceChildren("A folder cannot be answered here. Drop the photos in it, or ",
    make("a", { href: addressOf("data") }, "make it a dataset"), ".");
}

// A photo in its frame; a browser cannot show every kind that the service can read.
export function framed(name, source) {
  const picture = make("img", { alt: `The photo ${name}`, src: source, decoding: "async" });
  const frame = make("div", { class: source === null ? "frame blank" : "frame" }, picture, make("p", { class: "no-preview quiet" }, "This browser cannot show the photo."));
  picture.addEventListener("error", () => frame.classList.add("blank"));
  picture.addEventListener("load", () => frame.classList.remove("blank"));
  return { frame, picture };
}
