import os
import stat
import subprocess
from pathlib import Path

import pytest

from smithers.errors import StoreError
from smithers.service import locate
from smithers.store.database import open_reader


def git(folder, *args):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", folder, *args],
        check=True,
        capture_output=True,
    )


@pytest.fixture(autouse=True)
def no_override(monkeypatch):
    monkeypatch.delenv("SMITHERS_DIR", raising=False)


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    (root / "pkg/deep").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "pkg/a.txt").write_text("a")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "c")
    return root


def test_the_nearest_folder_upwards_counts(project):
    (project / ".smithers").mkdir()
    assert locate.find_root(project / "pkg/deep") == project
    (project / "pkg/.smithers").mkdir()
    assert locate.find_root(project / "pkg/deep") == project / "pkg"


def test_where_there_is_none_it_would_be_at_the_top_of_the_work_tree(project, tmp_path):
    assert locate.find_root(project / "pkg") == project
    assert not locate.exists(project)
    plain = tmp_path / "plain/deep"
    plain.mkdir(parents=True)
    assert locate.find_root(plain) == plain


def test_a_worktree_leads_to_its_main_checkout(project, tmp_path):
    (project / ".smithers").mkdir()
    (project / ".smithers/config.toml").write_text("")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "config")
    outside = tmp_path / "outside"
    git(project, "worktree", "add", "-q", "--detach", outside)
    assert (outside / ".smithers").is_dir()
    assert locate.find_root(outside / "pkg") == project
    locate.ensure(project)
    inside = locate.state_dir(project) / "worktrees/r1"
    git(project, "worktree", "add", "-q", "--detach", inside)
    assert locate.find_root(inside / "pkg") == project
    assert locate.find_root(locate.state_dir(project) / "logs") == project


def test_a_worktree_keeps_to_the_folder_it_stands_in(project, tmp_path):
    (project / "pkg/.smithers").mkdir()
    outside = tmp_path / "outside"
    git(project, "worktree", "add", "-q", "--detach", outside)
    assert locate.find_root(outside / "pkg") == project / "pkg"
    assert locate.find_root(outside) == project


@pytest.mark.parametrize("text", ["", "gitdir: /nowhere\n", "nonsense"])
def test_a_broken_git_file_is_no_obstacle(tmp_path, text):
    (tmp_path / ".git").write_text(text)
    (tmp_path / ".smithers").mkdir()
    assert locate.find_root(tmp_path) == tmp_path


def test_the_variable_overrides(project, tmp_path, monkeypatch):
    (project / ".smithers").mkdir()
    monkeypatch.setenv("SMITHERS_DIR", str(tmp_path / "other"))
    assert locate.find_root(project) == tmp_path / "other"
    monkeypatch.setenv("SMITHERS_DIR", str(tmp_path / "other/.smithers"))
    assert locate.find_root(project) == tmp_path / "other"


def test_making_it_twice_is_making_it_once(project):
    locate.ensure(project)
    state = locate.state_dir(project)
    before = sorted(state.rglob("*"))
    locate.ensure(project)
    assert [path for path in sorted(state.rglob("*")) if "smithers.db" not in path.name] == [
        path for path in before if "smithers.db" not in path.name
    ]
    assert locate.exists(project)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (project / ".smithers/.gitignore").read_text() == "state/\n"
    open_reader(state).close()


def test_an_ignore_file_of_the_users_own_is_kept(project):
    (project / ".smithers").mkdir()
    (project / ".smithers/.gitignore").write_text("local.toml")
    locate.ensure(project)
    assert (project / ".smithers/.gitignore").read_text() == "local.toml\nstate/\n"


def test_a_state_that_others_could_read_is_closed(project):
    locate.state_dir(project).mkdir(parents=True, mode=0o755)
    locate.state_dir(project).chmod(0o755)
    locate.ensure(project)
    assert stat.S_IMODE(locate.state_dir(project).stat().st_mode) == 0o700


def test_git_neither_sees_nor_cleans_the_state(project):
    locate.ensure(project)
    git(project, "add", "-A")
    listed = subprocess.run(
        ["git", "-C", project, "ls-files"], check=True, capture_output=True, text=True
    ).stdout
    assert "state" not in listed
    done = subprocess.run(
        ["git", "-C", locate.state_dir(project), "rev-parse", "--show-toplevel"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(locate.state_dir(project))
    git(project, "clean", "-q", "-fdx")
    assert locate.exists(project)


def test_a_folder_that_cannot_be_written_is_refused_with_the_way_out(tmp_path):
    (tmp_path / ".smithers").write_text("a file")
    with pytest.raises(StoreError) as caught:
        locate.ensure(tmp_path)
    assert "SMITHERS_DIR" in caught.value.next
    with pytest.raises(StoreError):
        locate.ensure(Path("/proc/nowhere"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_another_user_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError):
        locate.ensure(tmp_path)


MOUNTS = r"""/dev/sda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/ada/local xfs rw 0 0
//server/share /mnt/my\040share cifs rw 0 0
host /home/ada/remote fuse.sshfs rw 0 0
tmpfs /home/ada/remote tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/project", "ext4"),
        ("/home/ada/project", "nfs4"),
        ("/homes", "ext4"),
        ("/home/ada/local/project", "xfs"),
        ("/mnt/my share/x", "cifs"),
        ("/home/ada/remote", "tmpfs"),
    ],
)
def test_the_innermost_mount_names_the_file_system(path, kind):
    assert locate.file_system(Path(path), MOUNTS) == kind


def test_an_unknown_file_system_has_no_name():
    assert locate.file_system(Path("/x"), "") == ""


def test_a_network_file_system_is_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "file_system", lambda path, mounts: "nfs4")
    with pytest.raises(StoreError, match="network") as caught:
        locate.ensure(tmp_path)
    assert "SMITHERS_DIR" in caught.value.next
    assert not (tmp_path / ".smithers").exists()
