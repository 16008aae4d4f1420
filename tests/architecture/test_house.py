"""The house keeps its shape: imports, public names, sizes, and what an import loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import smithers

TOP = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("core/smithers", "smithers_tui", "recipes/smithers_recipes")
    for path in (TOP / folder).rglob("*.py")
    if "demo_project" not in path.parts
)


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.slow
def test_the_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import smithers", {"pydantic", "textual", "asyncio", "sqlite3", "jinja2"}),
        ("import smithers.cli.app", {"pydantic", "textual", "asyncio", "sqlite3", "jinja2"}),
        ("import smithers.service.reading", {"pydantic", "textual", "asyncio", "jinja2"}),
        ("import smithers.service.control", {"pydantic", "textual", "jinja2"}),
        ("import smithers.supervise.main", {"textual", "rich", "jinja2"}),
    ],
)
def test_an_import_loads_nothing_heavier_than_it_needs(statement, heavy):
    assert _loaded_by(statement) & heavy == set()


def test_public_names_are_sorted_and_all_there():
    assert smithers.__all__ == sorted(smithers.__all__)
    for name in smithers.__all__:
        assert getattr(smithers, name) is not None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_file_says_what_it_is_and_stays_small(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module begins with one sentence on what it is"
    assert len(text.splitlines()) <= 400


def test_every_folder_says_in_its_init_what_lives_there():
    folders = {path.parent for path in SOURCES}
    assert [
        str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()
    ] == []


def test_only_one_function_checkpoints_the_database():
    users = [
        path.relative_to(TOP).as_posix()
        for path in SOURCES
        if "wal_checkpoint" in path.read_text() or "wal_autocheckpoint" in path.read_text()
    ]
    assert users == ["core/smithers/store/database.py"]


def test_transactions_are_opened_by_name_only():
    for path in SOURCES:
        text = path.read_text()
        assert ".commit()" not in text, path
        assert "BEGIN DEFERRED" not in text, path


def test_the_schema_head_names_every_table():
    schema = (TOP / "core/smithers/store/schema.sql").read_text()
    head = schema.split("CREATE TABLE", 1)[0]
    tables = [line.split()[2] for line in schema.splitlines() if line.startswith("CREATE TABLE")]
    assert [table for table in tables if f"--   {table} " not in head] == []


def test_every_error_has_its_code_and_place_in_the_tree():
    from smithers import errors

    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.SmithersError)
    ]
    codes = [each.code for each in classes]
    assert len(set(codes)) == len(codes)
    assert all(each.__name__ in (errors.__doc__ or "") for each in classes)
