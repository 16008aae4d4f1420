"""What `config.toml` may say, and how it is told what it may not."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smithers.config import AgentSpec, Config, Limits, SandboxConfig, WorkspaceConfig, load
from smithers.errors import ConfigError

FULL = """\
[agents.fast]
kind = "claude"
model = "haiku"
args = ["--verbose"]
env = { LANG = "C" }

[agents.mine]
kind = "command"
command = "my-agent {prompt_file}"

[agents.play]
kind = "scripted"
file = "demo.json"

[roles]
coder = "fast"
reviewer = "claude:opus"
planner = "command:plan --json"
researcher = "scripted:research.json"

[gates]
"implement/ship" = "anyone"
"implement/build/check" = "person"

[workspace]
setup = "uv sync"
base = "main"
mode = "worktree"

[sandbox]
level = "strict"
network = false
write = ["~/.cache/mine"]
read = ["/opt/tools"]
hide = ["~/private"]

[limits]
concurrency = 8
retries = 0
timeout = 1800
stall = 90.5

[budget]
usd = 5
tokens = 2_000_000
minutes = 90

[supervise]
doors = "offer"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".smithers").mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    folder = tmp_path / "xdg" / "smithers"
    folder.mkdir(parents=True)
    return folder / "config.toml"


def read(root: Path, text: str) -> Config:
    (root / ".smithers" / "config.toml").write_text(text)
    return load(root)


def wrong(root: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(root, text)
    assert str(root / ".smithers" / "config.toml") in str(caught.value)
    return str(caught.value)


def test_no_file_is_all_defaults(root: Path) -> None:
    assert load(root) == Config()
    assert load(root / "nowhere") == Config()
    assert Config().limits.concurrency == 4


@pytest.mark.parametrize(
    ("persons", "projects", "level"),
    [
        ("strict", "off", "strict"),
        ("off", "workspace", "workspace"),
        ("workspace", "workspace", "workspace"),
        ("strict", None, "strict"),
    ],
)
def test_of_two_sandboxes_the_stricter_counts(root, person, persons, projects, level) -> None:
    person.write_text(f'[sandbox]\nlevel = "{persons}"\nnetwork = false\nhide = ["~/a"]\n')
    project = f'level = "{projects}"\nnetwork = true\n' if projects else ""
    assert read(root, f'[sandbox]\n{project}hide = ["~/b"]\n').sandbox == SandboxConfig(
        level, network=False, hide=("~/a", "~/b")
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("level = 'hard'", "known are off, workspace, strict"),
        ("level = 'stric'", "did you mean strict?"),
        ("network = 'no'", "must be true or false"),
        ("write = ['here']", "'here', which begins neither with / nor with ~/"),
        ("hide = '~/x'", "must be a list"),
    ],
)
def test_a_sandbox_that_cannot_be_is_named_with_the_reason(root, line, reason) -> None:
    assert reason in wrong(root, f"[sandbox]\n{line}\n")


def test_every_key_is_read(root: Path) -> None:
    assert read(root, FULL) == Config(
        agents={
            "fast": AgentSpec("claude", "haiku", ("--verbose",), {"LANG": "C"}),
            "mine": AgentSpec("command", command="my-agent {prompt_file}"),
            "play": AgentSpec("scripted", command="demo.json"),
        },
        roles={
            "coder": ("fast",),
            "reviewer": ("claude:opus",),
            "planner": ("command:plan --json",),
            "researcher": ("scripted:research.json",),
        },
        gates={"implement/ship": "anyone", "implement/build/check": "person"},
        workspace=WorkspaceConfig("worktree", "main", "uv sync"),
        sandbox=SandboxConfig("strict", False, ("~/.cache/mine",), ("/opt/tools",), ("~/private",)),
        limits=Limits(8, 0, 1800.0, 90.5),
        budget={"usd": 5.0, "tokens": 2_000_000.0, "minutes": 90.0},
        doors="offer",
    )


def test_the_project_wins_key_by_key(root: Path, person: Path) -> None:
    person.write_text(
        '[limits]\nconcurrency = 2\nstall = 5\n[agents.a]\nkind = "claude"\nmodel = "old"\n'
        'args = ["-x"]\n[roles]\ncoder = "a"\n[budget]\nusd = 1\n'
    )
    config = read(root, '[limits]\nconcurrency = 9\n[agents.a]\nmodel = "new"\n')
    assert config.limits == Limits(concurrency=9, stall=5.0)
    assert config.agents["a"] == AgentSpec("claude", "new", ("-x",))
    assert (config.roles, config.budget) == ({"coder": ("a",)}, {"usd": 1.0})


def test_another_kind_of_agent_leaves_nothing_of_the_old(root: Path, person: Path) -> None:
    person.write_text('[agents.a]\nkind = "command"\ncommand = "x"\nmodel = "old"\n')
    assert read(root, '[agents.a]\nkind = "claude"\n').agents["a"] == AgentSpec("claude")


def test_a_program_may_lie_elsewhere(root: Path) -> None:
    config = read(root, '[agents.a]\nkind = "claude"\ncommand = "/opt/claude"\nmodel = "opus"\n')
    assert config.agents["a"] == AgentSpec("claude", "opus", command="/opt/claude")


def test_what_either_file_denies_or_asks_holds(root: Path, person: Path) -> None:
    person.write_text('[permissions]\nallow = ["shell a"]\nask = ["shell a"]\ndeny = ["shell b"]\n')
    rules = read(root, '[permissions]\nallow = ["read *"]\nask = ["edit c"]\ndeny = ["edit d"]\n')
    assert rules.permissions.ask == ("shell a", "edit c")
    assert rules.permissions.deny == ("shell b", "edit d")
    assert rules.permissions.allow == ("read *",)
    assert read(root, "").permissions.ask == ("shell a",)


def test_a_role_may_name_an_agent_of_the_other_file(root: Path, person: Path) -> None:
    person.write_text('[agents.mine]\nkind = "claude"\n')
    assert read(root, '[roles]\ncoder = "mine:opus"\n').roles == {"coder": ("mine:opus",)}


def test_a_flaw_names_the_file_it_is_in(root: Path, person: Path) -> None:
    person.write_text("[limits]\nretries = -1\n")
    with pytest.raises(ConfigError, match=str(person)):
        load(root)


def test_an_agent_named_like_its_kind_needs_no_kind(root: Path) -> None:
    assert read(root, '[agents.claude]\nmodel = "opus"\n').agents["claude"].kind == "claude"
    assert read(root, "[agents.claude]\n").agents["claude"] == AgentSpec("claude")


def test_a_kind_may_carry_its_rest(root: Path) -> None:
    config = read(
        root, '[agents.a]\nkind = "command:run me"\n[agents.b]\nkind = "scripted:s.json"\n'
    )
    assert config.agents["a"] == AgentSpec("command", command="run me")
    assert config.agents["b"] == AgentSpec("scripted", command="s.json")


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("[limit]\nretries = 1", "limit", "limits"),
        ("[limits]\nretrys = 1", "limits.retrys", "retries"),
        ("[limits]\nConcurrency = 1", "limits.Concurrency", "concurrency"),
        ('[agents.a]\nkind = "claude"\nmodle = "x"', "agents.a.modle", "model"),
        ("[budget]\neuro = 1", "budget.euro", "usd, tokens, minutes"),
        ("[workspace]\nset-up = 1", "workspace.set-up", "setup"),
        ("retries = 1", "retries", "limits.retries"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(
    root: Path, text: str, key: str, near: str
) -> None:
    said = wrong(root, text)
    assert f"unknown key {key};" in said
    assert near in said


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            '[limits]\nretries = "2"',
            ("limits.retries must be a whole number, not a string", "retries = 2"),
        ),
        ("[limits]\nretries = true", ("not true or false",)),
        ("[limits]\nretries = 1.5", ("not a number",)),
        ("[limits]\nretries = -1", ("from 0 to 1000",)),
        ("[limits]\nconcurrency = 0", ("from 1 to 1000",)),
        ("[limits]\ntimeout = nan", ("above 0",)),
        ("[limits]\ntimeout = inf", ("above 0",)),
        ("[limits]\ntimeout = 0", ("above 0",)),
        ('[limits]\ntimeout = "10m"', ("must be a number", "timeout = 3600")),
        ("[budget]\ntokens = 1.5", ("budget.tokens",)),
        ("[budget]\nusd = -1", ("budget.usd", "usd = 5.0")),
        ("limits = 3", ("limits must be a table",)),
        ("agents = [1]", ("agents must be a table, not a list",)),
        ("[agents]\na = 1", ("agents.a must be a table", 'kind = "claude"')),
        ("[agents.a]\nmodel = 'x'", ("agents.a.kind is missing",)),
        ("[agents.a]\nkind = 'cloude'", ("agents.a.kind", "did you mean claude?")),
        ("[agents.a]\nkind = 'claude:opus'", ("after claude comes nothing",)),
        ("[agents.a]\nkind = 'command'", ("agents.a.command is needed",)),
        ("[agents.a]\nkind = 'command:'", ("comes more",)),
        ("[agents.a]\nkind = 'command:x'\ncommand = 'y'", ("by `kind` as well",)),
        ("[agents.a]\nkind = 'claude'\nfile = 'y'", ("agents.a.file means nothing",)),
        ("[agents.a]\nkind = 'scripted'\ncommand = 'y'", ("agents.a.command means nothing",)),
        ("[agents.a]\nkind = 'claude'\nargs = 'x'", ("agents.a.args must be a list",)),
        ("[agents.a]\nkind = 'claude'\nargs = [1]", ("only strings",)),
        ("[agents.a]\nkind = 'claude'\nenv = { A = 1 }", ("holds A, which is no string",)),
        ("[agents.a]\nkind = 'claude'\nenv = { SMITHERS_RUN = 'x' }", ("Smithers itself sets",)),
        ("[agents.a]\nkind = 'claude'\nenv = { 'A=B' = 'x' }", ("cannot name a variable",)),
        ("[agents.'a:b']\nkind = 'claude'", ('agents."a:b" cannot name an agent',)),
        ("[agents.command]\nkind = 'claude'", ("cannot name an agent",)),
        (
            "[roles]\ncoder = 'nobody'",
            ("roles.coder is 'nobody', which is no agent", "claude"),
        ),
        ("[roles]\ncoder = 'cloude'", ("did you mean claude?",)),
        ("[roles]\ncoder = 'claude:'", ("comes more",)),
        ("[roles]\ncoder = 'command'", ("is no agent",)),
        ("[roles]\ncoder = ''", ("is empty",)),
        ("[roles]\n'a b' = 'claude'", ("cannot name a role",)),
        ("[gates]\nship = 'person'", ('must be "recipe/step"',)),
        ("[gates]\n'/ship' = 'person'", ('must be "recipe/step"',)),
        ("[gates]\n'a/ship' = 'persons'", ('gates."a/ship"', "did you mean person?")),
        ("[gates.a]\nship = 'person'", ('must be "recipe/step"',)),
        ("[workspace]\nmode = 'inplace'", ("did you mean in-place?",)),
        ("[workspace]\nbase = 1979-05-27", ("not a date or time",)),
        ("[workspace]\nsetup = '  '", ("is empty",)),
        ("[limits", ("not valid TOML",)),
        ("[gates]\nimplement/ship = 'person'", ("not valid TOML",)),
        ("a = " + "[" * 100_000, ("not valid TOML",)),
    ],
)
def test_a_bad_value_is_named_with_the_reason(
    root: Path, text: str, parts: tuple[str, ...]
) -> None:
    said = wrong(root, text)
    for part in parts:
        assert part in said


def test_signed_gates_are_refused_and_not_weakened(root: Path, person: Path) -> None:
    said = wrong(root, '[gates]\n"implement/ship" = "signed"\n')
    assert "gates.\"implement/ship\" is 'signed', which this version does not support" in said
    person.write_text('[gates]\n"implement/ship" = "signed"\n')
    with pytest.raises(ConfigError, match="does not support"):
        read(root, '[gates]\n"implement/ship" = "anyone"\n')


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = '\xc3('", b"\0"])
def test_a_file_that_is_no_text_is_an_error(root: Path, content: bytes) -> None:
    (root / ".smithers" / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(root)


def test_a_file_that_cannot_be_read_is_an_error(root: Path) -> None:
    (root / ".smithers" / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(root)


def test_a_relative_config_home_is_ignored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    file = root / ".config" / "smithers" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[limits]\nretries = 7\n")
    assert load(root).limits.retries == 7


BYTES = FULL.encode()
SPAN = st.tuples(st.integers(0, len(BYTES)), st.integers(0, 40))
VALUES = st.sampled_from(
    [
        '""',
        "0",
        "-1",
        "1e400",
        "nan",
        "[]",
        "{}",
        "true",
        "[[1]]",
        "1979-05-27",
        '"a\\u0000b"',
        "{a.b=1}",
    ]
)


def _load_bytes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ".smithers" / "config.toml"
        file.parent.mkdir()
        file.write_bytes(content)
        with suppress(ConfigError):
            load(Path(folder))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(SPAN, st.binary(max_size=12)), min_size=1, max_size=5))
def test_mangled_bytes_never_give_anything_but_a_config_error(
    edits: list[tuple[tuple[int, int], bytes]],
) -> None:
    content = BYTES
    for (at, length), new in edits:
        content = content[:at] + new + content[at + length :]
    _load_bytes(content)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_mangled_lines_never_give_anything_but_a_config_error(data: st.DataObject) -> None:
    lines = FULL.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key, equals, _ = lines[at].partition(" = ")
        if equals:
            lines[at] = f"{key} = {data.draw(VALUES)}"
        else:
            lines.insert(at, data.draw(st.sampled_from(lines)))
    _load_bytes("\n".join(lines).encode())
