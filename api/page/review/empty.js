// What stands in the photos' place where there are none: why, and what to do.

import { addressOf, here } from "../frame/address.js";
import { byId, make } from "../frame/parts.js";

const NOT_READY = "not_ready";
const SENT = "Photos come here when the service keeps them: PEDIGREE_KEEP_PREDICTIONS=photos where it runs, and “keep” where a photo is sent.";
const NOTHING = {
  doubtful: ["No label looks doubtful", "The predictions speak against no label that you have not decided about."],
  top_losses: ["Nothing is taken for another breed", "The model is right about every photo that you have not decided about."],
  unsure: ["No unsure answers", SENT],
  unknown: ["No photos of unknown kinds", SENT],
  feedback: ["No feedback", SENT],
};

// Null: there are photos.
export function showEmpty(about) {
  const place = byId("review-empty");
  place.hidden = about === null;
  if (about === null) return;
  place.setAttribute("aria-busy", String(Boolean(about.isLoading)));
  place.replaceChildren(...parts(about));
}

function parts({ name, source, problem, isLoading }) {
  if (isLoading) return [make("p", { class: "quiet" }, "Looking at the labels…")];
  if (problem?.code === NOT_READY) {
    return [
      make("h3", {}, "Train a classifier first"),
      make("p", {}, "Its predictions on the photos that it was not trained on tell which labels are doubtful."),
      make("p", {}, make("a", { class: "button", href: addressOf("train", { dataset: name }) }, "Train"), " "),
      make("p", { class: "quiet" }, problem.message),
    ];
  }
  if (problem) return [make("p", { class: "bad", role: "alert" }, problem.message)];
  const [title, why] = NOTHING[source];
  const other = source === "doubtful" ? ["top_losses", "Look at the top losses"] : ["doubtful", "Look at the doubtful labels"];
  return [make("h3", {}, title), make("p", { class: "quiet" }, why), make("p", {}, make("a", { href: here({ source: other[0], at: null }) }, other[1]))];
}
