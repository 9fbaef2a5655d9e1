"""Letters of one channel keep their order; texts are cut and cleaned."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from notifications_app.delivery.letters import Answer, Letter, Outcome
from notifications_app.sending import redaction, texts
from notifications_app.sending.child import Lanes, lane_of
from tests.rows import each_row


def letter(message_id: str, channel: str) -> Letter:
    return Letter(id=message_id, kind="webhook", target={"url": channel}, content={})


def served(
    letters: list[Letter], outcomes: dict[str, tuple[Outcome, int | None]]
) -> tuple[list[str], list[Answer]]:
    """The ids that were sent, and all answers."""
    sent: list[str] = []
    answers: list[Answer] = []

    def send(one: Letter) -> Answer:
        sent.append(one.id)
        outcome, status = outcomes.get(one.id, ("sent", 200))
        return Answer(id=one.id, outcome=outcome, status=status, answer="words", retry_after_s=7)

    with ThreadPoolExecutor(4) as pool:
        lanes = Lanes(send, answers.append, pool)
        for one in letters:
            lanes.add(one)
    return sent, answers


def test_letters_of_a_channel_are_sent_in_their_order() -> None:
    letters = [
        letter(f"{channel}{number:02}", channel) for number in range(50) for channel in "abc"
    ]
    sent, answers = served(letters, {})
    for channel in "abc":
        assert [one for one in sent if one.startswith(channel)] == [
            f"{channel}{number:02}" for number in range(50)
        ]
    assert len(answers) == 150


@each_row(
    ("outcome", "status"),
    [
        ("retry", None),
        ("retry", 429),
        ("retry", 503),
        ("retry", 401),
        ("retry", 535),
        ("gone", 410),
    ],
)
def test_a_receiver_that_is_away_is_not_asked_for_each_letter(
    outcome: Outcome, status: int | None
) -> None:
    letters = [letter(f"a{number}", "a") for number in range(3)] + [letter("b", "b")]
    sent, answers = served(letters, {"a0": (outcome, status)})
    assert sorted(sent) == ["a0", "b"]
    found = {answer.id: (answer.outcome, answer.answer, answer.retry_after_s) for answer in answers}
    assert found.pop("b")[0] == "sent"
    assert set(found.values()) == {(outcome, "words", 7)}


def test_mails_by_one_server_share_a_lane_whoever_gets_them() -> None:
    ann, bob, other = (
        Letter(id="1", kind="mail", target={"server": server, "to": [to]}, content={})
        for server, to in (("mail", "ann"), ("mail", "bob"), ("other", "ann"))
    )
    assert lane_of(ann) == lane_of(bob) != lane_of(other)


def test_what_is_wrong_with_one_message_is_its_own() -> None:
    sent, _ = served(
        [letter(f"a{number}", "a") for number in range(3)],
        {"a0": ("retry", 500), "a1": ("refused", 400)},
    )
    assert sent == ["a0", "a1", "a2"]


def test_a_receiver_that_never_ends_its_answer_holds_its_own_letters_only() -> None:
    ends, answers = threading.Event(), list[Answer]()

    def send(one: Letter) -> Answer:
        if one.id == "slow":
            ends.wait(30)
        return Answer(id=one.id, outcome="sent", status=200)

    with ThreadPoolExecutor(2) as pool:
        lanes = Lanes(send, answers.append, pool)
        for one in (letter("slow", "a"), letter("behind", "a"), letter("other", "b")):
            lanes.add(one)
        while len(answers) < 1:
            assert lanes.wait(timeout_s=0.01)
        lanes.give_up(begun_before=time.monotonic() - 30)
        assert [answer.id for answer in answers] == ["other"]
        lanes.give_up(begun_before=time.monotonic() + 1)
        is_waiting = lanes.wait(timeout_s=0)
        ends.set()
    assert not is_waiting
    assert [(answer.id, answer.outcome) for answer in answers[1:3]] == [
        ("slow", "retry"),
        ("behind", "retry"),
    ]


@each_row(
    "line",
    [
        "",
        "noise",
        "[]",
        "{}",
        '{"id": 1, "outcome": "sent"}',
        '{"id": "1", "outcome": "fine"}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_answer_is_none(line: str) -> None:
    assert Answer.read(line) is None


def test_an_answer_is_read_as_it_was_written() -> None:
    answer = Answer(
        id="1",
        outcome="retry",
        answer="naïve\n",
        status=429,
        retry_after_s=1.5,
        recipients={"a": {"b": "c"}},
    )
    assert Answer.read(answer.line()) == answer
    assert answer.line().count("\n") == 1


@each_row(
    ("text", "limit", "expected"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("🔥🔥🔥", 4, "🔥…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_a_text_is_cut_as_services_count(text: str, limit: int, expected: str) -> None:
    assert texts.cut(text, limit) == expected


@each_row(("limit", "expected"), [(12, "🔥🔥…"), (11, "🔥🔥…"), (10, "🔥…"), (2, "")])
def test_a_text_is_cut_in_bytes_where_a_service_counts_them(limit: int, expected: str) -> None:
    assert texts.cut("🔥" * 4, limit, measure=texts.utf8_bytes) == expected


CALLS = (
    "@everyone",
    "@Here",
    "<!channel>",
    "<@U1>",
    "<@&5>",
    "@room",
    "@all",
    "@**all**",
    "<users/all>",
)


@each_row("text", CALLS)
def test_a_call_is_parted_by_a_character_that_nobody_sees(text: str) -> None:
    harmless = texts.without_calls(f"see {text}")
    assert text not in harmless
    assert harmless.replace("\u200b", "") == f"see {text}"


@each_row("text", ["ann@example.org", "@allowed", "a < b", "<b>", "x@hereford.example"])
def test_what_calls_nobody_stays(text: str) -> None:
    assert texts.without_calls(text) == text


def test_what_a_terminal_would_interpret_goes_and_lines_stay() -> None:
    assert (
        texts.clean("a\x1b[1;31mb\x1b[0m\x1b]8;;http://x\x1b\\c\x00\td\r\ne\x9b\ud800")
        == "abc\td\ne"
    )


@each_row(
    ("target", "words", "shown"),
    [
        (
            {"url": "discord://12345678/AbCdEfGh"},
            "no webhook 12345678 with AbCdEfGh",
            "no webhook *** with ***",
        ),
        (
            {"url": "https://user:passwd@example.org/a1b2c3d4"},
            "a1b2c3d4 of passwd at example.org",
            "*** of *** at example.org",
        ),
        ({"url": "https://example.org/x?token=a%2Fb%2Fcdefg"}, "bad a/b/cdefg", "bad ***"),
        ({"secrets": ["whsec_AbCdEfGh"]}, "AbCdEfGh", "***"),
        (
            {"password": "pw", "server": "mail"},
            "535 pw is wrong at mail",
            "535 *** is wrong at mail",
        ),
    ],
)
def test_no_secret_of_the_target_is_in_an_answer(
    target: dict[str, object], words: str, shown: str
) -> None:
    assert redaction.readable(words, target) == shown
