"""Script templates that ask web servers: HTTP check, API poll, page change, certificates; and the first one, hello."""

import json
from pathlib import Path

from tests.scripts_app.script_template_files.conftest import Running
from tests.scripts_app.script_template_files.doubles import (
    Web,
    certificate,
    closed_port,
    silent_port,
    tls_server,
    web_server,
)

TOKEN = "hush-" * 4


# --- hello ----------------------------------------------------------------------------------------------------------
def test_hello_greets_and_counts(run: Running) -> None:
    done = run("hello", name="Ann", steps=2)
    assert done.code == 0 and done.said.startswith("Hello Ann, from Python 3.")
    assert done.said.splitlines()[1:] == ["step 1 of 2", "step 2 of 2"]


def test_hello_says_what_it_lacks(run: Running) -> None:
    done = run("hello", name=" ")
    assert (done.code, done.said) == (
        1,
        "There is nobody to greet: the parameter `name` is empty.\n",
    )


# --- screenshot of a page -------------------------------------------------------------------------------------------
BROWSER = """#!/bin/sh
for word; do case "$word" in --screenshot=*) echo "$@" > "${word#--screenshot=}";; esac; done
"""


def test_a_browser_takes_a_picture_without_its_own_sandbox_and_the_newest_stay(
    run: Running, files: Path, tmp_path: Path
) -> None:
    browser = tmp_path / "bin/chromium-headless-shell"
    browser.parent.mkdir()
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    (files / "pictures").mkdir()
    (files / "pictures/2020-01-01-070000.png").touch()
    done = run("page_screenshot", url="https://a.example/", keep=1, PATH=f"{browser.parent}:/bin")
    (picture,) = (files / "pictures").iterdir()
    assert done.code == 0 and "deleted 2020-01-01-070000.png" in done.said, done.said
    words = picture.read_text().split()
    assert "--no-sandbox" in words and words[-1] == "https://a.example/"


def test_no_picture_is_no_success(run: Running, tmp_path: Path) -> None:
    nothing = run("page_screenshot", PATH=str(tmp_path))
    assert nothing.code == 1 and "There is no browser on this machine" in nothing.said
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    done = run("page_screenshot", PATH=str(tmp_path))
    assert done.code == 1 and "There is no picture" in done.said
    done = run("page_screenshot", url="file:///etc/passwd", PATH=str(tmp_path))
    assert done.code == 1 and "is no web address" in done.said


# --- HTTP check -----------------------------------------------------------------------------------------------------
def test_a_page_that_is_as_it_should_be_is_up(run: Running, web: Web) -> None:
    done = run("http_check", url=web.url, contains="all is well")
    assert done.code == 0 and f"UP: {web.url}" in done.said and len(web.asked) == 1


def test_a_page_is_down_after_as_many_tries_as_were_asked_for(run: Running, web: Web) -> None:
    web.status = 503
    done = run("http_check", url=web.url, tries=2, wait_s=0)
    assert done.code == 1 and done.said.endswith(f"DOWN: {web.url}: status 503 instead of 200\n")
    assert "try 2 of 2" in done.said and len(web.asked) == 2


def test_words_that_are_missing_count_and_another_status_may_be_right(
    run: Running, web: Web
) -> None:
    done = run("http_check", url=web.url, contains="welcome", tries=1)
    assert done.code == 1 and "does not contain `welcome`" in done.said
    web.status = 404
    assert run("http_check", url=web.url, status=404).code == 0


def test_an_alert_is_sent_at_each_change_and_at_no_other_run(run: Running, web: Web) -> None:
    with web_server() as chat:
        for status in (200, 500, 500, 200, 200):
            web.status = status
            done = run("http_check", url=web.url, tries=1, ALERT_WEBHOOK=f"{chat.url}{TOKEN}")
            assert (done.code, TOKEN in done.said) == (0 if status == 200 else 1, False)
        texts = [json.loads(body)["text"] for body in chat.posted]
    assert texts == [f"{web.url} is DOWN: status 500 instead of 200", f"{web.url} is up again."]


def test_an_alert_that_failed_is_tried_again_by_the_next_run(run: Running, web: Web) -> None:
    web.status = 500
    with web_server() as chat:
        chat.status = 500
        done = run("http_check", url=web.url, tries=1, ALERT_WEBHOOK=chat.url)
        assert done.code == 2 and "the alert could not be sent: HTTP Error 500" in done.said
        chat.status = 200
        assert run("http_check", url=web.url, tries=1, ALERT_WEBHOOK=chat.url).code == 1
        assert len(chat.posted) == 2


def test_nobody_answers(run: Running) -> None:
    done = run("http_check", url=f"http://127.0.0.1:{closed_port()}/", tries=1)
    assert done.code == 1 and "no answer: " in done.said and "refused" in done.said
    with silent_port() as port:
        done = run("http_check", url=f"http://127.0.0.1:{port}/", tries=1, timeout_s=0.2)
    assert done.code == 1 and "timed out" in done.said


def test_only_web_addresses_are_asked(run: Running) -> None:
    for name in ("http_check", "page_change", "api_poll"):
        done = run(name, url="file:///etc/hostname")
        assert done.code in (1, 2) and "is no web address" in done.said, name


# --- API poll -------------------------------------------------------------------------------------------------------
def test_new_entries_are_collected_once(run: Running, web: Web, files: Path) -> None:
    web.page = json.dumps([{"name": "v1"}, {"name": "v2"}])
    assert "2 new entries" in run("api_poll", url=web.url).said
    web.page = json.dumps([{"name": "v2"}, {"name": "v3", "note": "ä"}])
    done = run("api_poll", url=web.url)
    assert (done.code, done.said) == (0, "new: v3\n1 new entries\n")
    assert "No new entries." in run("api_poll", url=web.url).said
    lines = (files / "entries.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["v1", "v2", "v3"]


def test_a_server_is_asked_whether_anything_has_changed(run: Running, web: Web) -> None:
    web.page, web.headers = json.dumps([{"name": "v1"}]), {"ETag": '"7"'}
    assert "1 new entries" in run("api_poll", url=web.url).said
    assert run("api_poll", url=web.url).said == "Nothing has changed since the last time.\n"


def test_the_token_goes_to_the_api_alone(run: Running, web: Web) -> None:
    with web_server() as other:
        other.page = json.dumps({"results": [{"id": 7}]})
        web.status, web.headers = 302, {"Location": other.url}
        done = run("api_poll", url=web.url, entries="results", key="id", API_TOKEN=TOKEN)
        assert done.code == 0 and "new: 7" in done.said and TOKEN not in done.said
        assert web.asked[0][2]["authorization"] == f"Bearer {TOKEN}"
        assert "authorization" not in other.asked[0][2]


def test_an_answer_that_is_of_no_use_is_explained_and_changes_nothing(
    run: Running, web: Web, files: Path
) -> None:
    answers = {
        "<html>": "did not answer in JSON",
        '{"a": 1}': "The answer holds no list",
        '[{"id": 1}]': "Not every entry has a field `name`",
    }
    for page, sentence in answers.items():
        web.page = page
        done = run("api_poll", url=web.url)
        assert done.code == 1 and sentence in done.said
    web.status = 500
    done = run("api_poll", url=web.url)
    assert done.code == 1 and "cannot be asked: HTTP Error 500" in done.said
    assert list(files.iterdir()) == []


# --- page change ----------------------------------------------------------------------------------------------------
def test_a_change_is_shown_and_told_once(run: Running, web: Web, files: Path) -> None:
    web.page = "<h1>Offers</h1><p>Bread 2.00</p><script>random()</script>"
    assert "for the first time: 2 lines" in run("page_change", url=web.url).said
    web.page = web.page.replace("random", "another")
    assert run("page_change", url=web.url).said == f"{web.url} has not changed.\n"
    web.page = web.page.replace("2.00", "1.80")
    done = run("page_change", url=web.url)
    assert (
        done.code == 1 and "-Bread 2.00\n+Bread 1.80\n" in done.said and "has changed." in done.said
    )
    assert "+Bread 1.80" in (files / "change.diff").read_text()
    assert run("page_change", url=web.url).code == 0


def test_a_change_need_not_fail_and_some_lines_do_not_count(run: Running, web: Web) -> None:
    for number, sentence in enumerate(("first time", "has not changed")):
        web.page = f"<p>Offers</p><p>{number} visitors</p>"
        assert sentence in run("page_change", url=web.url, ignore=r"\d+ visitors").said
    web.page = "<p>More offers</p>"
    done = run("page_change", url=web.url, ignore=r"\d+ visitors", fail=False)
    assert done.code == 0 and "has changed" in done.said


def test_a_page_that_cannot_be_read_is_no_change(run: Running, web: Web, files: Path) -> None:
    web.status = 502
    assert (run("page_change", url=web.url).code, list(files.iterdir())) == (2, [])
    web.status, web.page = 200, "<script>draw()</script>"
    done = run("page_change", url=web.url)
    assert done.code == 2 and "holds no words" in done.said
    web.page = "<p>words</p>"
    done = run("page_change", url=web.url, ignore="(")
    assert done.code == 2 and "is no regular expression" in done.said


# --- certificate expiry ---------------------------------------------------------------------------------------------
def test_a_certificate_is_good_until_it_is_nearly_over(run: Running, tmp_path: Path) -> None:
    file = certificate(tmp_path, days=30)
    with tls_server(file) as port:
        done = run(
            "certificate_expiry", hosts=f"localhost:{port}, 127.0.0.1:{port}", SSL_CERT_FILE=file
        )
        assert (
            done.code == 0
            and f"localhost:{port}: valid for 30 days" in done.said
            and "All" in done.said
        )
        done = run("certificate_expiry", hosts=f"localhost:{port}", days=31, SSL_CERT_FILE=file)
        assert done.code == 1 and "valid for 30 days only, fewer than 31" in done.said


def test_what_browsers_reject_is_said(run: Running, tmp_path: Path) -> None:
    good, over = certificate(tmp_path, days=30), certificate(tmp_path, days=-2)
    with tls_server(good) as port:
        done = run("certificate_expiry", hosts=f"localhost:{port}")
        assert done.code == 1 and "is not valid: self" in done.said
    with tls_server(over) as port:
        done = run("certificate_expiry", hosts=f"localhost:{port}", SSL_CERT_FILE=over)
        assert done.code == 1 and "is not valid: certificate has expired" in done.said


def test_one_server_that_is_away_does_not_hide_the_others(run: Running, tmp_path: Path) -> None:
    file = certificate(tmp_path, days=30)
    with tls_server(file) as port:
        hosts = f"localhost:{closed_port()}, a b, ..:99999, localhost:{port}"
        done = run("certificate_expiry", hosts=hosts, SSL_CERT_FILE=file)
    assert done.code == 1 and f"localhost:{port}: valid for 30 days" in done.said
    assert "cannot be reached" in done.said and "`a b` is no server" in done.said
    assert run("certificate_expiry", hosts=" , ").code == 1
