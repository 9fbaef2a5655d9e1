"""Run with inputs in a real browser: from the editor's button over the form to what the script was given."""

import re

import pytest
from playwright.sync_api import StorageState, expect

from tests.pages.browser import LIMIT_MS, browser_of
from tests.pages.listening import Ears
from tests.service import Service

CODE = """\
# /// script
# [tool.tempo.parameters]
# days = {type = "int", default = 7}
# who = {required = true, help = "Whom to greet."}
# ///
import json, os
with open(os.environ["TEMPO_PARAMS_FILE"]) as file:
    print(json.load(file), os.environ["TEMPO_PARAM_WHO"])
"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


def test_the_editors_run_button_asks_for_what_has_to_be_given(
    service: Service, session: StorageState
) -> None:
    service.post("/scripts", {"name": "Greeter", "code": CODE})
    ears = Ears(service.url)
    with browser_of(storage_state=session) as page:
        page.goto(f"{service.url}/scripts/greeter/edit/")
        page.wait_for_selector("code-editor.is-rich")
        ears.listen(page)
        page.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_url("**/scripts/greeter/run-with/", timeout=LIMIT_MS)
        page.get_by_label("who").fill("<b>Ann</b>")
        page.locator("form[data-guard]").get_by_role("button", name="Run", exact=True).click()
        page.wait_for_url(re.compile(r"/runs/\d+/$"))
        expect(page.locator(".run-inputs")).to_have_text("With days 7, who <b>Ann</b>")
        expect(page.locator("body")).to_contain_text(
            "{'days': 7, 'who': '<b>Ann</b>'} <b>Ann</b>", timeout=LIMIT_MS
        )
