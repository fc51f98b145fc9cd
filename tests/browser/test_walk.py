"""One walk through all that the page is for, as a stranger lives it, on a real service with its workers."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser

from tests.browser.test_looks import Scheme
from tests.browser.visits import Visits
from tests.browser.walk_data import broken_off, first_minute, looked_at, rule_tried
from tests.browser.walk_ground import Ground, ground
from tests.browser.walk_models import cancelled_resumed_deleted, predicted, promoted_and_rolled_back
from tests.browser.walk_review import reviewed, trained_again
from tests.browser.walk_runs import cell_opened, rate_clicked, watched
from tests.browser.walker import Walker

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("walk")) as found:
        yield found


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1600, "light")])
def test_a_stranger_comes_from_a_first_photo_to_a_better_model(
    browser: Browser, walked: Ground, width: int, scheme: Scheme
) -> None:
    with closing(Visits(browser, walked.url)) as visits:
        walk, name = Walker(visits, width, scheme), f"pets-{scheme}"
        first_minute(walk, walked)
        broken_off(walk, walked)
        rule_tried(walk, name)
        looked_at(walk, name)
        rate_clicked(walk, name)
        run = watched(walk)
        cell_opened(walk)
        reviewed(walk, name)
        better = trained_again(walk, run)
        promoted_and_rolled_back(walk, better)
        predicted(walk, walked)
        cancelled_resumed_deleted(walk, better)
        walk.arrive()
