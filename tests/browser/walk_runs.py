"""The second part of the walk: a rate from a curve, a training that is watched, what it takes for what."""

import re

from playwright.sync_api import expect

from tests.browser.visits import PATIENCE_MS
from tests.browser.walk_ground import ARCH, SMALL
from tests.browser.walker import Walker

EPOCHS = 14
POINTS = "part => part.querySelector('[data-figure=loss] .js-plotly-plot')?.data[0].x.length ?? 0"
MIDDLE = """chart => {
  const { xaxis, yaxis } = chart._fullLayout;
  const { x, y } = chart.data[0];
  const middle = Math.floor(x.length / 2);
  chart.scrollIntoView({ block: "center" });
  const box = chart.getBoundingClientRect();
  return [x[middle], box.left + xaxis._offset + xaxis.d2p(x[middle]), box.top + yaxis._offset + yaxis.d2p(y[middle])];
}"""
"""The rate in the middle of a search's first curve, and where on the screen it is drawn."""
MISTAKE = """chart => {
  const { xaxis, yaxis } = chart._fullLayout;
  const { x, y, z } = chart.data[0];
  chart.scrollIntoView({ block: "center" });
  const across = (column) => chart.getBoundingClientRect().left + xaxis._offset + xaxis.c2p(column);
  for (const row of y.keys()) for (const column of x.keys()) if (row !== column && z[row][column]) {
    let host = chart;
    while (host && host.scrollWidth <= host.clientWidth) host = host.parentElement;
    if (host && across(column) > innerWidth - 30) host.scrollLeft += across(column) - innerWidth / 2;
    return { actual: y[row], predicted: x[column], x: across(column),
      y: chart.getBoundingClientRect().top + yaxis._offset + yaxis.c2p(row) };
  }
  return null;
}"""
"""A cell of what is taken for something else, brought into sight, and where on the screen it is."""


def rate_clicked(walk: Walker, dataset: str) -> None:
    """The form is filled in, a search made, and a rate taken by a click on its curve."""
    walk.at("#train-on").click()
    expect(walk.at("#train-dataset")).to_have_value(dataset)
    walk.station("#train-sum dl")
    walk.at("input[name=preset][value=head_only]").check()
    walk.at(f"input[name=arch][value={ARCH}]").check()
    walk.at("#train-all summary").click()
    for name, value in {**SMALL, "valid_pct": 0.4, "lr_sweep.sweeps": 1, "lr_sweep.steps": 30}.items():
        walk.at(f'#train-form [data-field="{name}"]').fill(str(value))
    walk.at('#train-form [data-field="epochs"]').fill(str(EPOCHS))
    expect(walk.at("#train-sum dl")).to_contain_text(f"{EPOCHS} epochs of the head")
    walk.station("#train-groups .changed")
    walk.button("Find a learning rate first").click()
    expect(walk.page).to_have_url(re.compile(r"search=\d+"))
    walk.page.reload()
    chart = walk.at("#rate-figure .js-plotly-plot")
    expect(chart).to_be_visible()
    rate, x, y = chart.evaluate(MIDDLE)
    walk.page.mouse.move(x, y)
    walk.page.mouse.click(x, y)
    taken = walk.at('#train-form [data-field="lr_max"]')
    expect(taken).to_have_value(shown(rate))
    walk.station("#rate-figure .main-svg")
    walk.follow("Models")
    walk.page.go_back()
    expect(taken).to_have_value(shown(rate))


def shown(rate: float) -> str:
    """As the form writes a rate: two digits, and small ones by their power."""
    rounded = float(f"{rate:.2g}")
    mantissa, _, power = f"{rounded:e}".partition("e")
    return str(rounded) if rounded >= 1e-3 else f"{float(mantissa):g}e{int(power)}"


def watched(walk: Walker) -> int:
    """It is started, its curve grows, and a reload and Back in the middle lose nothing. Comes to the run."""
    walk.button("Start training").click()
    expect(walk.page).to_have_title(re.compile(r"^Run \d+ "))
    rows, figures = walk.at("#epochs tbody tr"), walk.at("#figures")
    expect(rows).not_to_have_count(0)
    before, points = rows.count(), figures.evaluate(POINTS)
    expect(walk.at("#run-state")).to_have_text("running")
    walk.page.wait_for_function(
        f"([rows, points]) => document.querySelectorAll('#epochs tbody tr').length > rows"
        f" && ({POINTS})(document.querySelector('#figures')) > points",
        arg=[before, points],
    )
    walk.page.reload()
    expect(rows.nth(before)).to_be_visible()
    walk.at("#run-tabs").get_by_text("Configuration").click()
    expect(walk.at("#settings table").first).to_be_visible()
    walk.page.go_back()
    walk.station("[data-figure=loss] .main-svg")
    ended(walk)
    expect(rows).to_have_count(EPOCHS)
    return number(walk)


def ended(walk: Walker) -> None:
    """Wait until the run that is shown has succeeded, which the page says by itself."""
    expect(walk.at("#run-state")).to_have_text("succeeded", timeout=5 * PATIENCE_MS)


def number(walk: Walker) -> int:
    """Of the run that is shown."""
    found = re.search(r"/ui/runs/(\d+)", walk.page.url)
    assert found is not None
    return int(found[1])


def cell_opened(walk: Walker) -> None:
    """A click on a cell of the confusion opens its photos, one of them opens large, Back closes each."""
    walk.at("#run-tabs").get_by_text("Mistakes").click()
    expect(walk.page.get_by_role("application")).to_be_visible()
    walk.station("[data-figure=reliability] .main-svg")
    chart = walk.at("[data-figure=confusion] .js-plotly-plot")
    place = chart.evaluate(MISTAKE)
    walk.page.mouse.move(place["x"], place["y"])
    # Plotly looks for what lies under the mouse some frames later, and a click before that is nothing's.
    walk.page.wait_for_function("chart => chart._hoverdata?.length", arg=chart.element_handle())
    walk.page.mouse.click(place["x"], place["y"])
    expect(walk.at("#shots-title")).to_have_text(f"{place['actual']}, taken for {place['predicted']}")
    walk.station("#shots-grid li")
    walk.at("#shots-grid a").first.click()
    expect(walk.at("#photo-large")).not_to_have_js_property("naturalWidth", 0)
    name = walk.at("#photo-title").inner_text()
    walk.page.reload()
    expect(walk.at("#photo-title")).to_have_text(name)
    walk.station("#photo-view[open]")
    walk.page.go_back()
    expect(walk.at("#photo-view")).to_be_hidden()
    expect(walk.at("#shots-grid li").first).to_be_visible()
    walk.page.go_back()
    expect(walk.at("#shots")).to_be_hidden()
