"""The contract at /docs, in a browser: it needs nothing from elsewhere and nothing that the policy forbids."""

import pytest
from playwright.sync_api import expect

from tests.browser.visits import Visits

pytestmark = pytest.mark.browser


@pytest.mark.thorough
def test_the_contract_is_read_and_tried(visits: Visits) -> None:
    page = visits.page("/docs")
    page.locator("#operations-tag-operations, .opblock-summary-path").first.wait_for()
    page.locator(".opblock-summary-path", has_text="/healthz").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")
    assert visits.complaints == []
