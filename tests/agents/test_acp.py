"""The adapter for the Agent Client Protocol, against an agent that plays a script."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.agents.acp import conversation
from smithers.agents.acp.agent import AcpAgent
from smithers.agents.base import Answered, Asked, Failed, FailureKind
from smithers.agents.lines import UNREADABLE
from smithers.agents.permissions import Policy, Tool
from smithers.model.step import Usage

AGENT = Path(__file__).with_name("acp_agent.py")
ONCE = [
    {"optionId": "w", "kind": "allow_always", "name": "Always"},
    {"optionId": "x", "kind": "allow_once", "name": "Yes"},
    {"optionId": "y", "kind": "reject_always", "name": "Never"},
    {"optionId": "z", "kind": "reject_once", "name": "No"},
]
TOUCH = {"toolCallId": "1", "kind": "execute", "title": "t", "rawInput": {"command": "touch a"}}
DONE = {"say": "Done.", "messageId": "m9"}
MODES = {
    "currentModeId": "auto",
    "availableModes": [{"id": "auto"}, {"id": "default"}, {"id": "read-only"}],
}


class Played:
    """An agent, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def agent(self, *turns, name="", model="", **script) -> AcpAgent:
        """One that does this, under the name of a known one if it is given."""
        (self.folder / "script.json").write_text(json.dumps({"turns": turns, **script}))
        command = [sys.executable, str(AGENT)]
        if name:
            program = self.folder / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            program.chmod(0o755)
            command = [str(program)]
        argv = [*command, str(self.folder / "script.json"), str(self.folder / "log")]
        return AcpAgent("played", shlex.join(argv), model)

    def got(self, method: str) -> list[dict]:
        """The parameters of all requests of this kind."""
        return [each["params"] for each in self._log() if each.get("method") == method]

    def outcomes(self) -> list[dict]:
        found = [each["result"]["outcome"] for each in self._log() if each.get("id") == 900]
        return [each.get("optionId", each["outcome"]) for each in found]

    def errors(self) -> list[int]:
        return [each["error"]["code"] for each in self._log() if "error" in each]

    def prompts(self) -> list[str]:
        return [each["prompt"][0]["text"] for each in self.got("session/prompt")]

    def _log(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]


@pytest.fixture
def played(tmp_path):
    return Played(tmp_path)


def test_the_answer_is_the_last_message_of_the_model_and_no_words_of_the_adapter(
    played, make_turn, play
):
    agent = played.agent(
        [
            {"say": "Warning: one.\n"},
            {"say": "I will ", "messageId": "m1"},
            {"say": "look.", "messageId": "m1"},
            {"say": "Do", "messageId": "m2"},
            {"say": "ne.", "messageId": "m2"},
            {"say": "Warning: two."},
        ]
    )
    verdict, events = play(agent, make_turn())
    assert verdict == Answered("Done.", None, Usage(), "session-of-its-own")
    texts = [event for event in events if event[0] == "text"]
    assert texts == [("text", "Warning: one.\n"), ("text", "I will look."), ("text", "Done.")]
    assert ("notice", "Warning: two.") in events
    assert ("notice", "played 1.0") in events


def test_without_ids_a_message_ends_where_something_is_done(played, make_turn, play):
    call = {"sessionUpdate": "tool_call_update", **TOUCH, "status": "completed"}
    agent = played.agent([{"say": "I touch "}, {"say": "it."}, {"update": call}, {"say": "Done."}])
    verdict, events = play(agent, make_turn())
    assert verdict.text == "Done."
    told = [event for event in events if event[0] != "notice"]
    assert told == [
        ("text", "I touch it."),
        ("tool_call", "execute touch a"),
        ("tool_result", ""),
        ("text", "Done."),
    ]


@pytest.mark.parametrize(
    ("ends", "result"),
    [
        ({"_meta": {"terminal_output": {"data": "b"}}, "status": "completed"}, "ab"),
        ({"status": "failed", "rawOutput": "no such file"}, "failed: no such file"),
        (
            {"status": "completed", "content": [{"type": "content", "content": {"text": "c"}}]},
            "c",
        ),
    ],
)
def test_what_a_command_prints_is_its_result_and_a_call_is_told_once_it_is_whole(
    played, make_turn, play, ends, result
):
    call = {"sessionUpdate": "tool_call", "toolCallId": "1", "kind": "execute", "status": "pending"}
    more = {"sessionUpdate": "tool_call_update", "toolCallId": "1"}
    printed = {**more, "_meta": {"terminal_output": {"data": "a"}}}
    agent = played.agent(
        [
            {"update": {**call, "title": "shell", "rawInput": {"cwd": "/"}}},
            {
                "update": {
                    **more,
                    "status": "in_progress",
                    "rawInput": {"command": "ls", "cwd": "/"},
                }
            },
            {"update": printed if "_meta" in ends else more},
            {"update": {**more, **ends}},
            {"update": {**more, **ends}},
            DONE,
        ]
    )
    _, events = play(agent, make_turn())
    told = [event for event in events if event[0].startswith("tool")]
    assert told == [("tool_call", "execute ls"), ("tool_result", result)]


def test_a_long_message_is_told_while_it_comes(played, make_turn, play):
    agent = played.agent(
        [{"say": "x" * 700, "messageId": "m"}] * 1
        + [{"say": "y" * 700, "messageId": "m"}, {"say": "z", "messageId": "m"}]
    )
    verdict, events = play(agent, make_turn())
    assert len(verdict.text) == 1401
    assert [len(text) for kind, text in events if kind == "text"] == [1400, 1]


def test_the_conversation_is_told_before_anything_is_done_in_it(played, make_turn, cancel_when):
    agent = played.agent([{"start": ["sleep", "100"]}, {"hang": True}])
    events = cancel_when(agent, make_turn(), lambda event: event.session)
    assert events[-1].session == "session-of-its-own"


def test_cancelled_it_leaves_nothing_of_what_it_began(played, make_turn, cancel_when):
    agent = played.agent(
        [
            {"start": ["sleep", "100"]},
            {"say": "up", "messageId": "1"},
            {"update": {"sessionUpdate": "x"}},
            {"hang": True},
        ]
    )
    cancel_when(agent, make_turn(), lambda event: event.text == "up")  # the fixture looks


def test_what_is_unknown_or_no_message_is_kept_and_does_no_harm(played, make_turn, play):
    agent = played.agent(
        [
            {"line": "starting up..."},
            {"line": "[1]"},
            {"line": '{"jsonrpc": "2.0", "method": "news", "params": []}'},
            {"line": '{"jsonrpc": "2.0", "id": {"a": 1}, "method": "session/update"}'},
            {"line": '{"jsonrpc": "2.0", "id": [], "result": {}}'},
            {"line": '{"jsonrpc": "2.0", "id": 99, "error": "to nobody"}'},
            {"update": {"sessionUpdate": "tool_call", "status": ["completed"]}},
            {
                "update": {
                    "sessionUpdate": "session_info_update",
                    "_meta": {"codex": {"threadStatus": {"type": []}}},
                }
            },
            {
                "update": {
                    "sessionUpdate": "usage_update",
                    "cost": {"amount": 10**400, "currency": "USD"},
                }
            },
            {"line": '{"jsonrpc": "2.0", "method": "session/update", "params": {"update": 1}}'},
            {"update": {"sessionUpdate": "dreams"}},
            {
                "update": {
                    "sessionUpdate": "tool_call",
                    "content": 5,
                    "rawInput": 7,
                    "status": "failed",
                }
            },
            {"update": {"sessionUpdate": "agent_message_chunk", "content": None}},
            {
                "update": {
                    "sessionUpdate": "usage_update",
                    "cost": {"amount": "x", "currency": "USD"},
                }
            },
            {"request": "fs/write_text_file"},
            DONE,
        ]
    )
    verdict, events = play(agent, make_turn())
    assert verdict.text == "Done."
    for text in (
        "starting up...",
        "[1]",
        "unknown event, kept: news",
        "unknown event, kept: dreams",
    ):
        assert ("notice", text) in events
    assert ("notice", "refused: fs/write_text_file") in events
    assert ("notice", "an answer to nothing, kept") in events
    assert not any(UNREADABLE in text for _, text in events)
    assert -32601 in played.errors()
    asked = played.got("initialize")[0]["clientCapabilities"]
    assert {key: asked[key] for key in ("fs", "terminal")} == {
        "fs": {"readTextFile": False, "writeTextFile": False},
        "terminal": False,
    }


@pytest.mark.parametrize(
    ("said", "used"),
    [
        (  # what came from a cache counted beside the input
            {"usage": {"inputTokens": 5, "outputTokens": 7, "cachedReadTokens": 20, "cachedWriteTokens": 3, "totalTokens": 35}},
            Usage(28, 7, 0.5, 20),
        ),
        (  # and within it
            {"usage": {"inputTokens": 25, "outputTokens": 7, "cachedReadTokens": 20, "totalTokens": 32}},
            Usage(25, 7, 0.5, 20),
        ),
        (
            {"_meta": {"quota": {"token_count": {"input_tokens": 11, "output_tokens": 2}}}},
            Usage(11, 2, 0.5),
        ),
        ({"usage": None}, Usage(None, None, 0.5)),
    ],
)  # fmt: skip
def test_it_tells_what_a_turn_used(played, make_turn, play, said, used):
    cost = {"sessionUpdate": "usage_update", "used": 9, "cost": {"amount": 0.5, "currency": "USD"}}
    agent = played.agent([{"update": cost}, DONE, {"end": {"stopReason": "end_turn", **said}}])
    verdict, _ = play(agent, make_turn())
    assert verdict.usage == used


def test_a_cost_of_the_whole_conversation_is_not_taken_for_that_of_a_later_turn(
    played, make_turn, play
):
    cost = {"sessionUpdate": "usage_update", "used": 9, "cost": {"amount": 0.5, "currency": "USD"}}
    answers = {"initialize": {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}}
    agent = played.agent([{"update": cost}, DONE], answers=answers)
    verdict, _ = play(agent, make_turn(session="old", resume=True))
    assert verdict == Answered("Done.", None, Usage(), "old")


def test_opencode_counts_one_call_of_many_so_its_numbers_are_not_told(played, make_turn, play):
    end = {"stopReason": "end_turn", "usage": {"inputTokens": 5, "outputTokens": 7}}
    agent = played.agent([{"tell_env": "OPENCODE_PERMISSION"}, {"end": end}], name="opencode")
    verdict, _ = play(agent, make_turn())
    assert verdict.usage == Usage()
    assert json.loads(verdict.text)["bash"] == "ask", "it is told to ask"


# -- permissions --


@pytest.mark.parametrize(
    ("policy", "options", "outcome", "says"),
    [
        (Policy(), ONCE, "x", "shell touch a: allow (no rule)"),
        (Policy(deny=("shell touch*",)), ONCE, "z", "shell touch a: deny ([permissions] deny: shell touch*)"),
        (Policy(deny=("shell *",)), ONCE[:3], "cancelled", "shell touch a: deny"),
        (Policy(), ONCE[:1], "cancelled", "it offers no such answer"),
        (Policy(), None, "cancelled", "it offers no such answer"),
    ],
)  # fmt: skip
def test_a_rule_answers_for_this_once_whatever_the_order_of_options(
    played, make_turn, play, policy, options, outcome, says
):
    agent = played.agent([{"ask": TOUCH, "options": options}, DONE])
    verdict, events = play(agent, make_turn(policy=policy))
    assert verdict.text == "Done."
    assert played.outcomes() == [outcome]
    assert any(kind == "permission" and says in text for kind, text in events), events


def test_what_only_a_person_may_allow_ends_the_turn_with_the_question(played, make_turn, play):
    used = {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}}
    agent = played.agent([{"ask": TOUCH, "options": ONCE, "end": used}])
    verdict, events = play(agent, make_turn(policy=Policy(ask=("shell *",))))
    assert isinstance(verdict, Asked)
    assert verdict.session == "session-of-its-own"
    assert verdict.usage == Usage(3, 4)
    question = verdict.question
    assert (question.tool, question.subject, question.body) == (Tool.SHELL, "touch a", "touch a")
    assert played.outcomes() == ["cancelled"]
    assert played.got("session/cancel") == [{"sessionId": "session-of-its-own"}]
    assert ("permission", "shell touch a: ask ([permissions] ask: shell *)") in events


def test_one_that_goes_on_after_a_question_is_ended_and_only_the_first_is_put(
    played, make_turn, play, monkeypatch
):
    monkeypatch.setattr(conversation, "_WINDING_DOWN", 0.3)
    other = {**TOUCH, "toolCallId": "2", "rawInput": {"command": "touch b"}}
    asks = [{"ask": call, "options": ONCE, "heeds": False} for call in (TOUCH, other)]
    agent = played.agent([*asks, {"hang": True}])
    verdict, _ = play(agent, make_turn(policy=Policy(ask=("shell *",))))
    assert isinstance(verdict, Asked)
    assert verdict.question.subject == "touch a"
    assert played.outcomes() == ["cancelled", "cancelled"]
    assert len(played.got("session/cancel")) == 1


@pytest.mark.parametrize(
    ("call", "tool", "subject"),
    [
        ({"kind": "execute", "title": "ls -l"}, Tool.SHELL, "ls -l"),
        ({"kind": "execute", "rawInput": {"command": ["ls", "a b"]}}, Tool.SHELL, "ls 'a b'"),
        ({"kind": "edit", "rawInput": {"filePath": "{work}/a.txt"}}, Tool.EDIT, "a.txt"),
        ({"kind": "delete", "locations": [{"path": "/etc/b"}]}, Tool.EDIT, "/etc/b"),
        ({"kind": "read", "rawInput": {"path": "c"}}, Tool.READ, "c"),
        ({"kind": "search", "rawInput": {"pattern": "x"}}, Tool.READ, "x"),
        ({"kind": "fetch", "rawInput": {"url": "http://x"}}, Tool.FETCH, "http://x"),
        ({"name": "mcp__a__b", "rawInput": {"k": 1}}, Tool.OTHER, 'mcp__a__b {"k": 1}'),
        ({}, Tool.OTHER, "other"),
    ],
)
def test_a_request_becomes_the_question_that_rules_know(
    played, make_turn, play, call, tool, subject
):
    turn = make_turn(policy=Policy(ask=("* *",)))
    call = json.loads(json.dumps(call).replace("{work}", str(turn.workspace)))
    verdict, _ = play(played.agent([{"ask": call, "options": ONCE}]), turn)
    assert (verdict.question.tool, verdict.question.subject) == (tool, subject)


def test_of_several_files_in_one_edit_the_strictest_rule_holds(played, make_turn, play):
    files = ("a.py", "secret/key", "b.py")
    diffs = [{"type": "diff", "path": f"{{work}}/{each}", "newText": "x\n"} for each in files]
    turn = make_turn(policy=Policy(allow=("edit *",), deny=("edit secret/*",)))
    call = {"toolCallId": "1", "kind": "edit", "content": diffs}
    call = json.loads(json.dumps(call).replace("{work}", str(turn.workspace)))
    _, events = play(played.agent([{"ask": call, "options": ONCE}, DONE]), turn)
    assert played.outcomes() == ["z"]
    assert ("permission", "edit secret/key: deny ([permissions] deny: edit secret/*)") in events


def test_a_question_shows_what_was_told_of_the_call_before(played, make_turn, play):
    told = {
        "sessionUpdate": "tool_call",
        "toolCallId": "7",
        "kind": "edit",
        "content": [{"type": "diff", "path": "a.txt", "oldText": "one\n", "newText": "two\n"}],
    }
    agent = played.agent([{"update": told}, {"ask": {"toolCallId": "7"}, "options": ONCE}])
    verdict, _ = play(agent, make_turn(policy=Policy(ask=("edit *",))))
    assert verdict.question.subject == "a.txt"
    assert "-one\n+two" in verdict.question.body


@pytest.mark.parametrize("reason", ["cancelled", "end_turn"])
def test_a_denial_that_ends_its_turn_is_told_to_it_and_the_turn_goes_on(
    played, make_turn, play, reason
):
    used = {"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}}
    first = [
        {"say": "I touch."},
        {"ask": TOUCH, "options": ONCE},
        {"end": {"stopReason": reason, **used}},
    ]
    second = [{"say": "Then not."}, {"end": {"stopReason": "end_turn", **used}}]
    agent = played.agent(first, second)
    verdict, _ = play(agent, make_turn(policy=Policy(deny=("shell touch*",))))
    assert verdict.text == "Then not."
    assert verdict.usage == Usage(6, 8)
    why = "shell touch a: not allowed: [permissions] deny: shell touch*"
    assert played.prompts()[1:] == [f"{why}. Go on without it, or say why you cannot."]


def test_one_that_is_denied_again_and_again_comes_to_an_end(played, make_turn, play):
    turn = [{"ask": TOUCH, "options": ONCE}, {"end": {"stopReason": "cancelled"}}]
    verdict, _ = play(played.agent(*[turn] * 6), make_turn(policy=Policy(deny=("shell *",))))
    assert isinstance(verdict, Failed)
    assert verdict.message.startswith("it stopped: cancelled")


# -- modes and models --


@pytest.mark.parametrize(
    ("name", "policy", "mode"),
    [
        ("claude-agent-acp", Policy(), "default"),
        ("claude-agent-acp", Policy(deny=("shell *",)), "default"),
        ("codex-acp", Policy(ask=("edit *",)), "read-only"),
        ("", Policy(deny=("edit *",)), "default"),
        ("", Policy(allow=("edit *",)), None),
    ],
)
def test_it_is_set_to_ask_where_the_rules_need_it(played, make_turn, play, name, policy, mode):
    agent = played.agent(
        [DONE], name=name, answers={"session/new": {"sessionId": "s", "modes": MODES}}
    )
    verdict, _ = play(agent, make_turn(policy=policy))
    assert verdict.text == "Done."
    assert [each["modeId"] for each in played.got("session/set_mode")] == ([mode] if mode else [])


def test_a_known_agent_that_cannot_be_made_to_ask_is_not_used(played, make_turn, play):
    agent = played.agent([DONE], name="codex-acp")
    verdict, _ = play(agent, make_turn(policy=Policy(deny=("edit *",))))
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.CONFIG
    assert "read-only" in verdict.message
    assert played.got("session/prompt") == []
    verdict, _ = play(agent, make_turn())
    assert verdict.text == "Done.", "without rules it may go on as it is"


def test_of_an_unknown_agent_it_is_said_that_nobody_knows_whether_it_asks(played, make_turn, play):
    verdict, events = play(played.agent([DONE]), make_turn(policy=Policy(deny=("edit *",))))
    assert verdict.text == "Done."
    assert any("whether it keeps to [permissions] is not known" in text for _, text in events)


NEWER = [
    {"id": "effort", "category": "thought_level", "currentValue": "x", "options": []},
    {
        "id": "llm",
        "category": "model",
        "currentValue": "small",
        "options": [{"value": "small"}, {"name": "More", "options": [{"value": "large"}]}],
    },
]
OLDER = {"currentModelId": "small", "availableModels": [{"modelId": "small"}, {"modelId": "large"}]}


@pytest.mark.parametrize(
    ("offer", "method", "chosen"),
    [
        ({"models": OLDER}, "session/set_model", {"modelId": "large"}),
        ({"configOptions": NEWER}, "session/set_config_option", {"configId": "llm", "value": "large"}),
    ],
)  # fmt: skip
def test_a_model_is_chosen_in_both_forms_of_the_protocol(
    played, make_turn, play, offer, method, chosen
):
    answers = {"session/new": {"sessionId": "s", **offer}}
    verdict, _ = play(played.agent([DONE], model="large", answers=answers), make_turn())
    assert verdict.text == "Done."
    assert played.got(method) == [{"sessionId": "s", **chosen}]
    (played.folder / "log").unlink()
    play(played.agent([DONE], model="large", answers=answers), make_turn(model="small"))
    assert played.got(method) == [], "it is the one in use"


def test_a_model_that_is_not_offered_is_a_fault_of_config(played, make_turn, play):
    answers = {"session/new": {"sessionId": "s", "models": OLDER}}
    verdict, _ = play(played.agent([DONE], model="huge", answers=answers), make_turn())
    assert (verdict.kind, verdict.message) == (
        FailureKind.CONFIG,
        "it offers no model 'huge', only: small, large",
    )


# -- earlier conversations --

LOADS = {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}
RESUMES = {
    "protocolVersion": 1,
    "agentCapabilities": {"loadSession": True, "sessionCapabilities": {"resume": {}}},
}


@pytest.mark.parametrize(
    ("hello", "method"), [(LOADS, "session/load"), (RESUMES, "session/resume")]
)
def test_it_goes_on_in_an_earlier_conversation_and_tells_nothing_twice(
    played, make_turn, play, hello, method
):
    old = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "Old."}}
    agent = played.agent([DONE], replay=[old], answers={"initialize": hello})
    turn = make_turn(session="old", resume=True)
    verdict, events = play(agent, turn)
    assert verdict == Answered("Done.", None, Usage(), "old")
    assert [text for kind, text in events if kind == "text"] == ["Done."]
    where = {"sessionId": "old", "cwd": str(turn.workspace), "mcpServers": []}
    assert played.got(method) == [where]
    assert played.got("session/new") == []


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({}, FailureKind.UNKNOWN_SESSION),
        ({"initialize": LOADS, "session/load": {"code": -32002, "message": "no"}}, FailureKind.UNKNOWN_SESSION),
        ({"initialize": RESUMES, "session/resume": {"code": -32603, "message": "Internal error"}}, FailureKind.UNKNOWN_SESSION),
        ({"initialize": RESUMES, "session/resume": {"code": -32000, "message": "no"}}, FailureKind.AUTH),
    ],
)  # fmt: skip
def test_a_conversation_that_is_gone_is_told_from_other_failures(
    played, make_turn, play, answers, kind
):
    agent = played.agent([DONE], answers=answers)
    verdict, _ = play(agent, make_turn(session="old", resume=True))
    assert isinstance(verdict, Failed)
    assert verdict.kind is kind
    assert played.got("session/prompt") == []


# -- verdicts --


def _error(message, code=-32603, **data):
    return {"end": {"code": code, "message": message, "data": data}}


def _codex(**fields):
    return {"update": {"sessionUpdate": "session_info_update", "_meta": {"codex": fields}}}


SYSTEM_ERROR = _codex(threadStatus={"type": "systemError"})


@pytest.mark.parametrize(
    ("turn", "kind", "says"),
    [
        ([{"end": {"stopReason": "max_tokens"}}], FailureKind.ERROR, "it stopped: max_tokens"),
        ([{"end": {"stopReason": "refusal"}}], FailureKind.ERROR, "it stopped: refusal"),
        ([{"end": {"stopReason": "cancelled"}}], FailureKind.ERROR, "it stopped: cancelled"),
        ([{"end": {}}], FailureKind.ERROR, "it stopped: None"),
        ([_error("Rejected", errorKind="rate_limit")], FailureKind.RATE_LIMITED, "Rejected"),
        ([_error("Rate limited by it.")], FailureKind.RATE_LIMITED, "Rate limited"),
        ([_error("no", code=429)], FailureKind.RATE_LIMITED, "no"),
        ([_error("Rejected", errorKind="authentication_failed")], FailureKind.AUTH, "Rejected"),
        ([_error("Authentication required", code=-32000)], FailureKind.AUTH, "log in"),
        ([_error("The model does not exist", code=500)], FailureKind.CONFIG, "does not exist"),
        ([_error("Internal error", details="unknown model x")], FailureKind.CONFIG, "unknown model x"),
        ([_error("Internal error: thread not found: x")], FailureKind.UNKNOWN_SESSION, "not found"),
        ([_error("Internal error")], FailureKind.ERROR, "Internal error"),
        (
            [SYSTEM_ERROR, {"say": "last status: 429 Too Many Requests"}],
            FailureKind.RATE_LIMITED,
            "last status: 429",
        ),
        (
            [
                {"say": "Hm.", "messageId": "1"},
                _codex(error={"message": "no", "codexErrorInfo": {"x": {"httpStatusCode": 401}}}),
                SYSTEM_ERROR,
                _codex(threadStatus={"type": "idle"}),
                {"say": "It failed."},
            ],
            FailureKind.AUTH,
            "It failed.",
        ),
        ([{"stderr": "out of memory"}, {"exit": 3}], FailureKind.ERROR, "exit code 3 within its turn: out of memory"),
        ([{"say": "Done."}, {"exit": 0}], FailureKind.ERROR, "exit code 0 within its turn"),
        ([{"line": '{"jsonrpc": "2.0", "id": 2, "error": "out of it"}'}, {"hang": 1}], FailureKind.ERROR, "out of it"),
        ([{"stderr": "fetch: status 404"}, {"exit": 3}], FailureKind.ERROR, "exit code 3"),
        ([{"stderr": "the file does not exist"}, {"exit": 1}], FailureKind.ERROR, "does not exist"),
        (
            [{"say": "I now return 401 unauthorized."}, SYSTEM_ERROR],
            FailureKind.ERROR,
            "marked its turn as failed",
        ),
    ],
)  # fmt: skip
def test_only_a_turn_that_ends_well_is_an_answer(played, make_turn, play, turn, kind, says):
    verdict, _ = play(played.agent(turn), make_turn())
    assert isinstance(verdict, Failed)
    assert verdict.kind is kind
    assert says in verdict.message


def test_an_error_from_which_it_recovers_is_a_retry(played, make_turn, play):
    error = {"message": "Reconnecting... 1/2", "additionalDetails": "dropped", "willRetry": True}
    active = _codex(threadStatus={"type": "active"})
    agent = played.agent([SYSTEM_ERROR, active, _codex(error=error), DONE])
    verdict, events = play(agent, make_turn())
    assert verdict.text == "Done."
    assert ("retry", "Reconnecting... 1/2: dropped") in events


def test_one_that_speaks_another_version_is_a_fault_of_config(played, make_turn, play):
    verdict, _ = play(played.agent(answers={"initialize": {"protocolVersion": 2}}), make_turn())
    assert verdict.kind is FailureKind.CONFIG
    assert "version 2" in verdict.message


@pytest.mark.parametrize("command", ["/no/such/program", "sh -c 'echo unknown option >&2; exit 2'"])
def test_one_that_does_not_start_is_a_fault_of_config(make_turn, play, command):
    verdict, _ = play(AcpAgent("x", command), make_turn())
    assert verdict.kind is FailureKind.CONFIG


def test_one_that_says_it_went_well_and_ends_badly_has_failed(played, make_turn, play):
    verdict, _ = play(played.agent([DONE], exit=7), make_turn())
    assert isinstance(verdict, Failed)
    assert (verdict.kind, verdict.exit_code) == (FailureKind.ERROR, 7)
    assert "exit code 7 after its turn" in verdict.message


def test_the_end_of_one_that_stays_after_its_turn_and_is_ended_tells_nothing(
    played, make_turn, play, monkeypatch
):
    monkeypatch.setattr("smithers.agents.acp.client._PARTING", 0.1)
    verdict, _ = play(played.agent([DONE], stays=True), make_turn())
    assert verdict.text == "Done."


# -- prompts --


def test_the_schema_is_asked_for_and_the_last_object_of_the_answer_counts(played, make_turn, play):
    agent = played.agent([{"say": 'Not {"a": 1}, but {"a": 2}.', "messageId": "1"}])
    verdict, _ = play(agent, make_turn("Count", schema={"title": "Counted"}))
    assert verdict.value == {"a": 2}
    assert '{"title": "Counted"}' in played.prompts()[0]


def test_a_prompt_is_no_command_of_the_agent_and_broken_text_goes_through(played, make_turn, play):
    verdict, _ = play(played.agent([DONE]), make_turn("/clear żółć \udcff"))
    assert verdict.text == "Done."
    assert played.prompts() == ["\n/clear żółć ?"]


def test_the_library_is_not_loaded_before_such_an_agent_is_made():
    code = "import sys, smithers.agents.registry; sys.exit('acp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
