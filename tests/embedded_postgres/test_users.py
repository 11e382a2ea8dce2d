"""Who may run the embedded server: root, root without privileges (a container), and a normal user."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import embedded_postgres as embedded
from embedded_postgres.account import Account, find_first_closed, find_server_account
from embedded_postgres.binaries import Binaries, find_reachable_binaries, locate
from embedded_postgres.layout import ClusterPaths
from tests.support.embedded import ask, eventually, exists, postmaster_pid, supervisor_pid

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
REPOSITORY = Path(__file__).parents[2]
SESSION = """
import os, sys
from pathlib import Path
import embedded_postgres as embedded
home, bindir = Path(sys.argv[1]), Path(sys.argv[2])
with embedded.running(home, bindir=bindir) as url:
    status = embedded.status(home)
    print(os.geteuid(), status.state, Path(f"/proc/{status.pid}").stat().st_uid, url)
    if "stay" in sys.argv:
        input()
embedded.stop(home)
"""


def find_owner(pid):
    return (Path("/proc") / str(pid)).stat().st_uid


def test_root_runs_the_server_as_the_dedicated_user(home):
    with embedded.running(home):
        account = find_server_account("hd_pg")
        assert find_owner(postmaster_pid(home)) == account.uid != 0
        assert ClusterPaths.of(home).data.stat().st_uid == account.uid


def test_root_changes_no_permission_above_the_cluster(hd_home):
    home = hd_home / "a" / "b"
    home.mkdir(parents=True)
    before = [(path, path.stat().st_mode) for path in (hd_home, hd_home / "a", home)]
    with embedded.running(home) as url:
        assert ask(url) == 1
    embedded.stop(home)
    assert [(path, path.stat().st_mode) for path, _ in before] == before


def nobody():
    return Account("nobody", 65534, 65534, is_own=False)


def python_for(account):
    """An interpreter that this user can run and that has what this package needs: the standard library of 3.11."""
    for name in (sys.executable, "python3.13", "python3.12", "python3.11", "python3"):
        found = shutil.which(name, path="/usr/local/bin:/usr/bin")
        if found is None or find_first_closed(account, Path(found).resolve()):
            continue
        probe = [found, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        if subprocess.run(probe, check=False).returncode == 0:
            return found
    return None


def test_a_normal_user_runs_everything_as_themselves(hd_home):
    account = nobody()
    python = python_for(account)
    if python is None:
        pytest.skip("no Python 3.11 that a normal user can run")
    source = hd_home / "source"
    shutil.copytree(
        REPOSITORY / "embedded_postgres", source / "embedded_postgres", ignore=shutil.ignore_patterns("__pycache__")
    )
    programs = find_reachable_binaries(account, locate(), copies=hd_home / "programs")
    home = hd_home / "home"
    home.mkdir()
    account.own(home)
    done = subprocess.run(
        [python, "-c", SESSION, home, programs.folder],
        capture_output=True, text=True, check=False, cwd="/", env={"PYTHONPATH": str(source)}, **account.switch,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    user, state, supervisor_user, _ = done.stdout.split()
    assert (user, state, supervisor_user) == ("65534", "running", "65534")
    root = home / "postgres"
    assert {path.stat().st_uid for path in (root, *root.rglob("*"))} == {65534}
    assert root.stat().st_mode & 0o777 == 0o700


def test_root_with_the_rights_of_a_container_still_finds_a_server_that_lost_its_supervisor(home):
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv")
    embedded.up(home)
    server = postmaster_pid(home)
    os.kill(server, 19)
    os.kill(supervisor_pid(home), 9)
    resume = subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {server}"])
    command = [setpriv, "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", sys.executable, "-c", SESSION]
    done = subprocess.run(
        [*command, home, locate().folder], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    resume.wait()
    assert done.returncode == 0, done.stderr
    assert eventually(lambda: not exists(server))
    assert "ending the server of an earlier supervisor" in ClusterPaths.of(home).supervisor_log.read_text()


def test_programs_below_a_closed_folder_are_copied_into_the_cluster(fresh_home, hd_home):
    closed = hd_home / "closed"
    closed.mkdir(mode=0o700)
    wheel = locate().folder.parents[1]
    shutil.copytree(wheel, closed / wheel.name, ignore=shutil.ignore_patterns("*.a", "include", "pginstall"))
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), closed / f"{wheel.name}.libs")
    hidden = closed / wheel.name / "pginstall18" / "bin"
    with embedded.running(fresh_home, bindir=hidden) as url:
        assert ask(url) == 1
        program = (Path("/proc") / str(postmaster_pid(fresh_home)) / "exe").readlink()
        assert program.is_relative_to(ClusterPaths.of(fresh_home).root)
        embedded.stop(fresh_home)
    with embedded.running(fresh_home, bindir=hidden) as url:
        assert ask(url) == 1


def test_reachable_programs_are_used_where_they_are(tmp_path):
    found = Binaries(Path("/usr/bin"), "18.4", 18)
    assert find_reachable_binaries(Account("me", os.geteuid(), os.getegid(), is_own=True), found, tmp_path) == found
