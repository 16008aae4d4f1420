import json

import pytest
from scene import Scene

from smithers.cli.app import main


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SMITHERS_DIR", "SMITHERS_RUN", "SMITHERS_ACTOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    made = Scene(tmp_path)
    yield made
    made.store.close()


class Said:
    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def smithers(capsys):
    """The command line in this process: `smithers("ps", "--json").json`."""

    def call(*words):
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call
