// What people write on a run: a name, tags, a note.

import { byId } from "../frame/parts.js";
import { ask, tell } from "../frame/service.js";

const SPLIT = /[,\n]/;

export function openEdit(run, renew) {
  byId("edit-name").value = run.name ?? "";
  byId("edit-tags").value = run.tags.join(", ");
  byId("edit-note").value = run.note ?? "";
  byId("edit-wrong").textContent = "";
  byId("edit-leave").onclick = () => byId("edit-run").close();
  byId("edit-form").onsubmit = (event) => {
    event.preventDefault();
    save(run, renew);
  };
  byId("edit-run").showModal();
}

async function save(run, renew) {
  const tags = byId("edit-tags").value.split(SPLIT).map((tag) => tag.trim()).filter(Boolean);
  const body = JSON.stringify({ name: byId("edit-name").value.trim() || null, tags, note: byId("edit-note").value.trim() || null });
  try {
    await ask(`/runs/${run.id}`, { method: "PATCH", headers: { "Content-Type": "application/json" }, body });
  } catch (error) {
    byId("edit-wrong").textContent = error.message;
    return;
  }
  byId("edit-run").close();
  await tell("run", renew());
}
