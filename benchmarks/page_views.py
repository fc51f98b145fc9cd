"""The page's views as a measurement sees them: where they are, and what must be seen of each."""

from dataclasses import dataclass

from benchmarks.page_content import Content

WATCH = """(() => {
performance.setResourceTimingBufferSize(5000);
let flying = 0;
let landed = 0;
const plain = window.fetch;
window.fetch = (...asked) => {
  flying += 1;
  return plain(...asked).finally(() => { flying -= 1; landed = performance.now(); });
};
const seen = (selector) => [...document.querySelectorAll(selector)].some((one) => one.getClientRects().length > 0);
const loaded = (selector) => {
  const [first] = document.querySelectorAll(selector);
  return Boolean(first?.complete && first.naturalWidth && first.getClientRects().length);
};
const painted = (ready) => new Promise((done, fail) => {
  const until = performance.now() + 60000;
  const look = () => {
    if (performance.now() > until) fail(new Error(`not seen within a minute: ${ready}`));
    else if (!ready()) requestAnimationFrame(look);
    else requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
  };
  look();
});
const follow = (address) => {
  const link = document.body.appendChild(Object.assign(document.createElement("a"), { href: address }));
  const began = performance.now();
  link.click();
  link.remove();
  return began;
};
const quiet = () => new Promise((done) => {
  const look = () => (flying || performance.now() - landed < 400 ? setTimeout(look, 50) : done());
  look();
});
Object.assign(window, { seen, loaded, painted, follow, quiet });
})()"""
"""What a view's ``ready`` is written in, and what else is asked of a window."""


@dataclass(frozen=True)
class View:
    """A view, and what must be seen of it; ``via`` is the address that its link stands at, else the start's."""

    name: str
    address: str
    ready: str
    via: str | None = None


def views_of(content: Content) -> list[View]:
    """All views, with what is useful of them."""
    run, (one, *others) = content.long_run, content.other_runs
    dataset = f"data/{content.dataset}"
    cards = "#view-home .card, #latest li"

    # A view keeps what it showed before: other runs are not these.
    def of_two(other: int) -> str:
        return f"seen('#compared [data-run=\"{other}\"]') && !seen('#compared tbody tr:nth-child(3)')"

    return [
        View("Predict", "", f"seen('#drop') && seen('#model') && seen('{cards}')", via="jobs"),
        View("Runs", "runs", "seen('#runs tbody tr')"),
        View("Compare 2", f"compare?runs={run},{one}", f"{of_two(one)} && seen('#beside tbody tr')"),
        View(
            "Compare 2, curves",
            f"compare?runs={one},{others[0]}",
            f"{of_two(others[0])} && seen('#compare-board figure')",
        ),
        View(
            "Compare 4",
            f"compare?runs={run},{one},{','.join(map(str, others))}",
            "seen('#compared tbody tr:nth-child(4)') && seen('#beside tbody tr')",
        ),
        View("Run", f"runs/{run}", "seen('#run-facts *') && seen('#epochs tbody tr')"),
        View("Run, chart", f"runs/{run}", "seen('#figures figure .main-svg, #figures figure img')"),
        View(
            "Run, mistakes",
            f"runs/{run}?tab=mistakes",
            "seen('#worst li') && seen('#scores tbody tr')",
            via=f"runs/{run}",
        ),
        View("Run, settings", f"runs/{run}?tab=config", "seen('#settings table')", via=f"runs/{run}"),
        View("Run, files", f"runs/{run}?tab=files", "seen('#files tbody tr')", via=f"runs/{run}"),
        View("Train", "train", "seen('#train-archs label') && seen('#train-main input')"),
        View("Data", "data", "seen('#datasets tbody tr')"),
        View("Dataset", dataset, "seen('#dataset-breeds li') && seen('#near-duplicates *')"),
        View("Dataset, breed", f"{dataset}?breed=Birman", "loaded('#dataset-photos img')", via=dataset),
        View("Dataset, batch", dataset, "loaded('#batch img')"),
        View("Review", f"{dataset}/review", "loaded('#review-stage img')"),
        View("Models", "models", "seen('#versions tbody tr') && seen('#aliases li')"),
        View("Version", f"models/{content.version}", "seen('#stands li') && seen('#exports li')"),
        View("Jobs", "jobs", "seen('#jobs-lanes li') && seen('#jobs-done li')"),
        View("Team", "team", "seen('#limits dd') && seen('#no-changes, #changes tbody tr')"),
        View(
            "What to label next",
            "label",
            "seen('#label-pool') && document.querySelectorAll('#label-pool option').length",
        ),
        View("Searches", "searches", "seen('#searches li')"),
        View("Search", f"searches/{content.search}", "seen('#trials tbody tr') && seen('#study-figures .main-svg')"),
    ]
