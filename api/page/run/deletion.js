// Deleting a run: what hangs on it is told first, and what others came from it is a second choice.

import { addressOf, replace } from "../frame/address.js";
import { byId, counted, make, runLink, words } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";
import { showServed, versionLink } from "../models/served.js";
import { size } from "./files.js";

const item = (...content) => make("li", {}, ...content);
const between = (parts) => parts.flatMap((part, place) => (place ? [", ", part] : [part]));

export async function openDeletion(run) {
  byId("delete-title").textContent = `Delete run ${run.id}?`;
  byId("delete-list").replaceChildren(item("…"));
  byId("delete-choice").hidden = true;
  byId("delete-wrong").textContent = "";
  byId("delete-yes").disabled = true;
  byId("delete-leave").onclick = () => byId("delete-run").close();
  byId("delete-run").showModal();
  try {
    await look(run);
  } catch (error) {
    byId("delete-list").replaceChildren();
    byId("delete-wrong").textContent = error.message;
  }
}

async function look(run) {
  const found = await ask(`/runs/${run.id}/dependents`);
  const isFree = found.deletable === "yes";
  byId("delete-list").replaceChildren(...linesOf(found));
  byId("delete-choice").hidden = found.deletable !== "with_cascade";
  byId("delete-all").checked = false;
  byId("delete-all-text").textContent = found.version || found.interpretations.length
    ? "Delete what goes with it too." : "Delete it though others came from it.";
  byId("delete-all").onchange = () => { byId("delete-yes").disabled = !byId("delete-all").checked; };
  byId("delete-yes").disabled = !isFree;
  if (found.deletable === "no") byId("delete-wrong").textContent = found.busy.length ? "Cancel what is at work first, or wait for it." : "Point the alias at another version first.";
  byId("delete-form").onsubmit = (event) => {
    event.preventDefault();
    tell("deletion", remove(run, byId("delete-all").checked));
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

async function remove(run, cascade) {
  byId("delete-yes").disabled = true;
  try {
    await ask(`/runs/${run.id}${cascade ? "?cascade=true" : ""}`, { method: "DELETE" });
  } catch (error) {
    // What hangs on it may have changed since it was told.
    await look(run);
    byId("delete-wrong").textContent = error.message;
    return;
  }
  byId("delete-run").close();
  replace(addressOf("runs"));
  await tell("served", showServed());
}
