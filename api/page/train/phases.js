// Phases that a config spells out: a row each, more and fewer of them.

import { make } from "../frame/parts.js";
import { parsed, shown } from "./fields.js";

const RATE = { type: "number", words: ["auto"], pair: true, least: 1e-30, most: 1e30, above: null, below: null, unit: null };
const EPOCHS = { type: "whole number", words: [], pair: false, least: 1, most: 1000, above: null, below: null, unit: null };
const NEW = { freeze: false, epochs: 3, lr_max: [1e-6, 1e-4] };
const MOST = 32;

export function phasesInput(field, change, wrong) {
  const host = make("div", { class: "phases" });
  const note = make("span", { class: "hint" }, "What is done one after the other; a pair of rates is the first layers’ and the head’s.");
  const error = make("span", { class: "hint bad", "data-error": "phases", role: "alert" });
  host.dataset.shown = "";
  host.write = (phases) => {
    const text = JSON.stringify(phases);
    if (host.dataset.shown === text) return;
    host.dataset.shown = text;
    host.replaceChildren(...phases.map((phase, number) => row(phases, phase, number, put, wrong)), more(phases, put));
  };
  // Who types stays in the input: what is written is what is shown already.
  function put(phases, isTyped = false) {
    if (isTyped) host.dataset.shown = JSON.stringify(phases);
    change(field.name, phases);
  }
  return make("div", { class: "field wide", "data-of": "phases" }, host, note, error);
}

function row(phases, phase, number, put, wrong) {
  const others = () => JSON.parse(document.querySelector(".phases").dataset.shown);
  const hear = (key, about) => ({ target }) => {
    const { value, wrong: sentence } = parsed(about, target.value);
    wrong("phases", sentence ? `Phase ${number + 1}: ${sentence}` : "");
    if (sentence === undefined) put(others().map((one, place) => (place === number ? { ...one, [key]: value } : one)), true);
  };
  const text = (key, label, about) => make("div", { class: "field" }, make("label", { for: `phase-${number}-${key}` }, label),
    make("input", { id: `phase-${number}-${key}`, type: "text", value: shown(phase[key]), on: { input: hear(key, about) } }));
  const body = make("select", { id: `phase-${number}-freeze`, on: { change: ({ target }) => put(others().map((one, place) => (place === number ? { ...one, freeze: target.value === "head" } : one)), true) } },
    make("option", { value: "head", selected: phase.freeze }, "the head alone"), make("option", { value: "all", selected: !phase.freeze }, "everything"));
  const drop = phases.length < 2 ? "" : make("button", { type: "button", class: "secondary", "aria-label": `Remove phase ${number + 1}`,
    on: { click: () => put(others().filter((_, place) => place !== number)) } }, "Remove");
  return make("div", { class: "phase" }, make("div", { class: "field" }, make("label", { for: `phase-${number}-freeze` }, `Phase ${number + 1} trains`), body),
    text("epochs", "Epochs", EPOCHS), text("lr_max", "Learning rate", RATE), drop);
}

function more(phases, put) {
  if (phases.length >= MOST) return "";
  return make("button", { type: "button", class: "secondary", on: { click: () => put([...JSON.parse(document.querySelector(".phases").dataset.shown), NEW]) } }, "Another phase");
}
