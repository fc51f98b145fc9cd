// What was dropped and answered, kept in this tab alone: a reload and Back find it again. It goes with the tab, with a
// click on Clear, and it is sent nowhere.

const PLACE = "pedigree-answers";
const MOST_CHARACTERS = 2_000_000;
const SIDE_PX = 448;
const QUALITY = 0.75;

// Newest first; of more than there is room for the earliest are not kept.
export function keepAnswers(entries) {
  let room = MOST_CHARACTERS;
  const kept = entries.map((one) => JSON.stringify(one)).filter((text) => (room -= text.length) >= 0);
  try {
    if (kept.length) sessionStorage.setItem(PLACE, `[${kept.join(",")}]`);
    else sessionStorage.removeItem(PLACE);
  } catch {
    // Full, or forbidden: what is shown is still there until the page is left.
  }
}

export function keptAnswers() {
  try {
    const found = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one?.name === "string") : [];
  } catch {
    // Another script's, or a browser that keeps nothing.
    return [];
  }
}

// The photo made small, as an address that holds it; null where this browser cannot show the photo.
export async function smallOf(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, SIDE_PX / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const brush = canvas.getContext("2d");
  // What is transparent counts as white, for the service too.
  brush.fillStyle = "white";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/jpeg", QUALITY);
}
