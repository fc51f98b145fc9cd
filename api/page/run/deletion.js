// Deleting a run: what hangs on it is told first, and what others came from it is a second choice.

import { addressOf, placeOf, replace } from "../frame/address.js";
import { byId, counted, make, runLink, size, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { showServed, versionLink } from "../models/served.js";

const item = (...content) => make("li", {}, ...content);
const between = (parts) => parts.flatMap((part, place) => (place ? [", ", part] : [part]));

// The dialog asks about one run at a time: what comes late for an earlier question is dropped.
let asked = 0;

export async function openDeletion(run) {
  byId("delete-title").textContent = `Delete run ${run.id}?`;
  byId("delete-list").replaceChildren(item("…"));
  byId("delete-choice").hidden = true;
  byId("delete-wrong").textContent = "";
  byId("delete-yes").disabled = true;
  byId("delete-leave").onclick = () => byId("delete-run").close();
  byId("delete-form").onsubmit = (event) => event.preventDefault();
  byId("delete-run").showModal();
  await look(run, ++asked);
}

async function look(run, question, wrong = "") {
  try {
    const found = await ask(`/runs/${run.id}/dependents`);
    if (question === asked) show(run, question, found, wrong);
  } catch (error) {
    if (question !== asked) return;
    byId("delete-list").replaceChildren();
    byId("delete-wrong").textContent = error.message;
  }
}

function show(run, question, found, wrong) {
  byId("delete-list").replaceChildren(...linesOf(found));
  byId("delete-choice").hidden = found.deletable !== "with_cascade";
  byId("delete-all").checked = false;
  byId("delete-all-text").textContent = found.version || found.interpretations.length
    ? "Delete what goes with it too." : "Delete it though others came from it.";
  byId("delete-all").onchange = () => { byId("delete-yes").disabled = !byId("delete-all").checked; };
  byId("delete-yes").disabled = found.deletable !== "yes";
  const reason = found.busy.length ? "Cancel what is at work first, or wait for it." : "Point the alias at another version first.";
  byId("delete-wrong").textContent = wrong || (found.deletable === "no" ? reason : "");
  byId("delete-form").onsubmit = (event) => {
    event.preventDefault();
    if (question === asked) tell("deletion", remove(run, question, byId("delete-all").checked));
  };
}

function linesOf(found) {
  const lines = [item(`${counted(found.files, "file")}, ${size(found.bytes)}`)];
  lines.push(...found.busy.map((job) => item(`The ${words(job.kind)} job ${job.id}`, ...(job.run && job.run !== found.run ? [" of ", runLink(job.run)] : []),
    ` is ${words(job.state)}`)));
  if (found.version) {
    const names = found.aliases.length ? `, which answers for ${found.aliases.join(" and ")}` : " goes with it, and its number is not given again";
    lines.push(item(versionLink(found.version, `Version ${found.version}`), names));
  }
  if (found.interpretations.length) lines.push(item(`Its interpretations of ${found.interpretations.join(", ")} go with it`));
  if (found.child_count) {
    lines.push(item(`${counted(found.child_count, "run")} started from it: `, ...between(found.children.map(({ id }) => runLink(id))), found.child_count === 1 ? ". It stays" : ". They stay"));
  }
  if (found.predict_job_count) lines.push(item(`It answered in ${counted(found.predict_job_count, "predict job")}. The answers stay`));
  return lines;
}

async function remove(run, question, cascade) {
  byId("delete-yes").disabled = true;
  try {
    await ask(`/runs/${run.id}${cascade ? "?cascade=true" : ""}`, { method: "DELETE" });
  } catch (error) {
    // What hangs on it may have changed since it was told.
    if (question === asked) await look(run, question, error.message);
    return;
  }
  if (question === asked) byId("delete-run").close();
  if (placeOf().parts.run === run.id) replace(addressOf("runs"));
  await tell("served", showServed());
}
