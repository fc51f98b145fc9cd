// Parts that scroll show it: the side where there is more fades out, and the keyboard reaches them.

const SIDES = ["left", "right", "bottom"];
const known = new WeakSet();

function look(part) {
  const { scrollLeft: x, scrollTop: y, scrollWidth, scrollHeight, clientWidth, clientHeight } = part;
  const more = { left: x > 1, right: x + clientWidth < scrollWidth - 1, bottom: y + clientHeight < scrollHeight - 1 };
  part.dataset.more = SIDES.filter((side) => more[side]).join(" ");
  const isScrolling = scrollWidth > clientWidth + 1 || scrollHeight > clientHeight + 1;
  part.toggleAttribute("data-sideways", scrollWidth > clientWidth + 1);
  if (part.hasAttribute("data-keys")) return;
  if (isScrolling) part.tabIndex = 0;
  else part.removeAttribute("tabindex");
  nameRegion(part, isScrolling);
}

// What does not scroll is no region, and only what is something may have a name.
function nameRegion(part, isScrolling) {
  if (part.hasAttribute("aria-label")) part.dataset.name = part.getAttribute("aria-label");
  if (!part.dataset.name) return;
  for (const [attribute, value] of [["role", "region"], ["aria-label", part.dataset.name]]) {
    if (isScrolling) part.setAttribute(attribute, value);
    else part.removeAttribute(attribute);
  }
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) look(target.closest(".scroll") ?? target);
});

// Now and whenever its size or what is in it changes.
function keep(part) {
  if (known.has(part)) return;
  known.add(part);
  part.addEventListener("scroll", () => look(part), { passive: true });
  sizes.observe(part);
  for (const child of part.children) sizes.observe(child);
  look(part);
}

export function showScrolling() {
  const all = (root) => root.querySelectorAll(".scroll");
  all(document).forEach(keep);
  new MutationObserver((changes) => {
    for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (!(node instanceof HTMLElement)) continue;
      if (node.matches(".scroll")) keep(node);
      all(node).forEach(keep);
    }
  }).observe(document.body, { childList: true, subtree: true });
}
