// The keyboard: a letter for each decision, while a photo is shown and nothing is being typed.

const TYPED_IN = "input, textarea, select, dialog, [contenteditable]";
const SCROLLS = ".tall, .scroll";
const PRESSED = "button, a, summary";

export function listenToKeys(acts, isOn) {
  const does = {
    k: () => acts.choose("keep"),
    r: () => acts.choose("relabel", acts.current()?.suggested?.breed),
    d: () => acts.choose("drop"),
    u: () => acts.takeBack(),
    "/": () => document.querySelector(".view:not([hidden]) .stage .search input")?.focus(),
    arrowright: () => acts.step(1),
    arrowdown: () => acts.step(1),
    arrowleft: () => acts.step(-1),
    arrowup: () => acts.step(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (!isOn() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key.startsWith("Arrow") && event.target.closest(SCROLLS)) return;
    if (event.target.closest(TYPED_IN) || document.querySelector("dialog[open]")) return;
    const act = event.key === "Enter" ? enter(event, does.r) : guess(event.key, acts) ?? does[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

// On a button or a link Enter is theirs.
const enter = ({ target }, accept) => (target.closest(PRESSED) ? null : accept);

function guess(key, acts) {
  const breed = /^[1-5]$/.test(key) ? acts.current()?.guesses[Number(key) - 1]?.breed : null;
  return breed ? () => acts.choose("relabel", breed) : null;
}
