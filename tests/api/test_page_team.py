"""The page's view for a team, held against what the service takes and answers."""

import dataclasses
import re
from typing import get_args

import pytest
from pydantic import BaseModel

from api.schemas.audit import AuditOut, AuditQuery
from api.schemas.jobs import JobKind
from api.schemas.keys import KeyMade, KeyOut, NewKey, SessionOut
from api.schemas.limits import BytesAllowedOut, JobsAllowedOut, LimitsOut, RequestsOut
from api.schemas.webhooks import DeliveryOut, JobEnd, NewWebhook, WebhookMade, WebhookOut, WebhookPage
from cli.webhooks import WHY
from store.access import Scope
from tests.api.test_page import MODULES, PAGE


@pytest.mark.parametrize(
    ("module", "model", "fields"),
    [
        ("team.js", SessionOut, "is_open key scope"),
        ("keys.js", KeyOut, "id name scope state created_by created_at expires_at revoked_at last_used_at"),
        ("key_form.js", NewKey, "name scope expires_at"),
        ("key_form.js", KeyMade, "name scope key expires_at"),
        ("changes.js", AuditOut, "id changed_at who operation target before after address request_id"),
        ("webhooks.js", WebhookPage, "items hosts"),
        ("webhooks.js", WebhookOut, "id url events kinds created_by created_at gone_at last"),
        ("webhook_form.js", NewWebhook, "url events kinds"),
        ("webhook_form.js", WebhookMade, "id secret"),
        ("deliveries.js", DeliveryOut, "event job state attempts status error created_at next_try_at"),
        ("limits.js", LimitsOut, "requests jobs bytes"),
        ("limits.js", RequestsOut, "counted_by most left"),
        ("limits.js", JobsAllowedOut, "most queued running"),
        ("limits.js", BytesAllowedOut, "most datasets uploads"),
    ],
)
def test_what_the_view_reads_and_sends_are_fields_that_the_service_has(
    module: str, model: type[BaseModel], fields: str
) -> None:
    for field in fields.split():
        assert re.search(rf"[.{{,\s]{field}\b", MODULES[f"team/{module}"]), field
        assert field in model.model_fields


def test_the_page_and_the_command_have_the_same_words_for_why_a_delivery_was_not_taken() -> None:
    (told,) = re.findall(r"^const WHY = \{\n(.*?)^\};", MODULES["team/deliveries.js"], re.MULTILINE | re.DOTALL)
    assert dict(re.findall(r'^  (\w+): "(.+)",$', told, re.MULTILINE)) == WHY


def test_a_webhook_is_offered_every_end_and_every_kind_of_job() -> None:
    for name, meant in (("events", JobEnd), ("kinds", JobKind)):
        assert re.findall(rf'name="{name}" value="([\w.]+)"', PAGE) == list(get_args(meant))


def test_a_keys_name_and_scope_are_what_the_service_takes() -> None:
    fields = NewKey.model_json_schema()
    (said,) = re.findall(r'<input id="key-name"[^>]* pattern="([^"]+)"', PAGE)
    assert "^" + said.replace(r"\-", "-") + "$" == fields["properties"]["name"]["pattern"]
    (scopes,) = re.findall(r'<select id="key-scope".*?</select>', PAGE)
    assert re.findall(r'value="(\w+)"', scopes) == [scope.value for scope in Scope]


def test_all_that_can_be_asked_of_the_record_of_changes_can_be_chosen() -> None:
    script = MODULES["team/changes.js"]
    names = re.findall(r'"(\w+)"', "".join(re.findall(r"^const (?:TYPED|DAYS) = (.+);$", script, re.MULTILINE)))
    names += re.findall(r"(\w+): ", "".join(re.findall(r"^const CLICKED = (.+);$", script, re.MULTILINE)))
    assert set(names) == {field.name for field in dataclasses.fields(AuditQuery)}


def test_secrets_are_stored_nowhere_and_stand_in_no_address() -> None:
    team = "\n".join(text for name, text in MODULES.items() if name.startswith("team/"))
    assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\b", team)
    assert {name for name, text in MODULES.items() if re.search(r"made\.(key|secret)\b", text)} == {
        "team/key_form.js",
        "team/webhook_form.js",
    }
