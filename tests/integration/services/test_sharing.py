"""The supervisor of PostgreSQL and Redis, with real servers in folders of their own."""

import json
import os
import signal
import stat
import subprocess
import sys
import time

import psycopg
import pytest
import redis

from config.services.redis import Redis
from tests.integration.services.checkout import Project, environment, sql


def test_starts_and_finds_its_data_again(new_project: Project) -> None:
    first = new_project.hold()
    database, broker = first.addresses()
    sql(database, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('還付')")
    redis.Redis.from_url(broker).set("kept", "yes")
    first.leave()
    assert new_project.running() == [False, False]

    database, broker = new_project.hold().addresses()
    assert sql(database, "SELECT word FROM kept") == [("還付",)]
    assert redis.Redis.from_url(broker).get("kept") == b"yes"


def test_settings_and_secrets(project: Project) -> None:
    database, broker = project.hold().addresses()
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "shared_buffers": "1GB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "max_connections": "100",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "jit": "off",
        "autovacuum": "on",
    }
    assert {name: sql(database, f"SHOW {name}")[0][0] for name in wanted} == wanted
    assert sql(database, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'kanpu'") == [
        ("b", "C.UTF-8")
    ]
    assert {row[0] for row in sql(database, "SELECT auth_method FROM pg_hba_file_rules")} == {"scram-sha-256"}

    for server in (project.postgres, Redis(project.home)):
        password = server.password()
        assert password in database + broker
        assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600
        assert password not in subprocess.run(["ps", "-axww"], capture_output=True, text=True, check=True).stdout
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        sql(database.replace(project.postgres.password(), "guess"), "SELECT 1")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(broker.replace(Redis(project.home).password(), "guess")).ping()


def test_the_last_one_out_stops_not_the_first(project: Project) -> None:
    first, second, third = project.hold(), project.hold(), project.hold()  # all starting at once
    assert first.addresses() == second.addresses() == (where := third.addresses())
    second.leave()
    first.leave()
    assert sql(where[0], "SELECT 1") == [(1,)]
    third.leave()
    assert project.running() == [False, False]


def test_a_killed_holders_servers_are_adopted(project: Project) -> None:
    first = project.hold()
    where = first.addresses()
    pid = project.postgres.pid()
    first.kill()
    assert project.running() == [True, True]

    second = project.hold()
    assert second.addresses() == where
    assert project.postgres.pid() == pid
    second.leave()
    assert project.running() == [False, False]


def test_recovers_after_the_servers_were_killed(project: Project) -> None:
    first = project.hold()
    database, broker = first.addresses()
    sql(database, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    for server in (project.postgres, Redis(project.home)):
        pid = server.pid()
        assert pid
        os.kill(pid, signal.SIGKILL)
    first.leave()

    database, broker = project.hold().addresses()
    assert sql(database, "SELECT count(*) FROM kept") == [(1000,)]
    assert redis.Redis.from_url(broker).ping()
    assert "not properly shut down" in project.postgres.log.read_text()


def test_a_server_that_could_not_note_its_process_as_the_disk_was_full_is_stopped_all_the_same(
    project: Project,
) -> None:
    holder = project.hold()
    holder.addresses()
    (Redis(project.home).folder / "pid").write_text("")
    holder.leave()
    assert project.running() == [False, False]


def test_a_stale_pid_file_with_a_reused_number_does_not_block(project: Project) -> None:
    bystander = subprocess.Popen(["sleep", "60"], **project.home.account.options())
    try:
        pid_file = project.postgres.data / "postmaster.pid"
        pid_file.write_text(f"{bystander.pid}\n{project.postgres.data}\n1790000000\n1\n\n127.0.0.1\n\nready\n")
        project.hold().addresses()
        assert project.postgres.pid() != bystander.pid
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_set_addresses_are_left_alone(new_project: Project) -> None:
    both = new_project.hold(DATABASE_URL="postgresql://elsewhere/x", REDIS_URL="redis://elsewhere/0")
    assert both.addresses() == ("postgresql://elsewhere/x", "redis://elsewhere/0")
    assert list(new_project.root.iterdir()) == []

    one = new_project.hold(DATABASE_URL="postgresql://elsewhere/x")
    assert one.addresses()[0] == "postgresql://elsewhere/x"
    assert new_project.running() == [False, True]


def test_another_checkout_is_not_disturbed_even_by_its_copy(project: Project, new_project: Project) -> None:
    where = project.hold().addresses()
    sql(where[0], "CREATE TABLE original AS SELECT 1; CHECKPOINT")
    # A copy has the same passwords, and pid files that name the original's living servers.
    subprocess.run(["cp", "-a", project.root / "var", new_project.root], check=True)

    copy = new_project.hold()
    assert not set(copy.addresses()) & set(where)
    copy.leave()
    assert new_project.command("stop").returncode == 0
    assert sql(where[0], "SELECT * FROM original") == [(1,)]
    assert redis.Redis.from_url(where[1]).ping()


def test_a_failed_start_says_why_and_leaves_nothing_running(project: Project) -> None:
    with (project.postgres.data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = on\n")
    started = time.monotonic()
    failed = project.command("exec", "--", "true")
    assert failed.returncode == 1
    assert "ended instead of starting" in failed.stderr
    assert 'unrecognized configuration parameter "no_such_setting"' in failed.stderr
    assert "DATABASE_URL" in failed.stderr
    assert time.monotonic() - started < 10
    assert project.running() == [False, False]


def test_when_the_second_does_not_start_the_first_is_stopped_again(project: Project) -> None:
    next((project.home.path / "redis").glob("*/*.manifest")).write_text("nonsense\n")
    failed = project.command("exec", "--", "true")
    assert failed.returncode == 1
    assert "redis server" in failed.stderr
    assert "REDIS_URL" in failed.stderr
    assert "received fast shutdown request" in project.postgres.log.read_text()
    assert project.running() == [False, False]


def test_killed_while_setting_up(new_project: Project) -> None:
    begun = new_project.postgres.folder / "data.unfinished" / "PG_VERSION"
    holder = new_project.hold()
    while not begun.exists():
        assert holder.process.poll() is None
        time.sleep(0.01)
    holder.kill()
    assert begun.exists()
    assert new_project.postgres.alive()  # initdb goes on
    last = new_project.hold()
    assert sql(last.addresses()[0], "SELECT 1") == [(1,)]
    last.leave()
    assert new_project.running() == [False, False]


def test_a_forked_child_stops_nothing(project: Project) -> None:
    fork = "import os\nif os.fork() == 0: sys.exit()\nos.wait()\nprint('child gone', flush=True)"
    holder = project.hold(fork)
    where = holder.addresses()
    assert holder.process.stdout
    assert holder.process.stdout.readline() == "child gone\n"
    assert sql(where[0], "SELECT 1") == [(1,)]
    holder.leave()
    assert project.running() == [False, False]


def test_ctrl_c_does_not_reach_the_servers(project: Project) -> None:
    wait = """
import time
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    holder = project.hold(wait)
    where = holder.addresses()
    time.sleep(0.3)
    os.killpg(holder.process.pid, signal.SIGINT)
    assert holder.process.stdout
    assert holder.process.stdout.readline() == "interrupted\n"
    time.sleep(0.3)
    assert sql(where[0], "SELECT 1") == [(1,)]
    assert redis.Redis.from_url(where[1]).ping()
    holder.leave()
    assert "database system is shut down" in project.postgres.log.read_text()


def test_sigterm_stops_in_order_where_asked_for(project: Project) -> None:
    holder = project.hold("services.stop_on_sigterm()\nprint('ready', flush=True)")
    holder.addresses()
    assert holder.process.stdout
    holder.process.stdout.readline()
    holder.process.terminate()
    holder.process.communicate(timeout=60)
    assert holder.process.returncode == 128 + signal.SIGTERM
    assert project.running() == [False, False]


def test_running_gives_the_environment_back(project: Project) -> None:
    program = (
        "import os, sys; from pathlib import Path; from config import services\n"
        "with services.running(Path(sys.argv[1])) as where:\n"
        "    assert where == (os.environ['DATABASE_URL'], os.environ['REDIS_URL'])\n"
        "    with services.running(Path(sys.argv[1])) as again: assert again == where\n"
        "    assert 'DATABASE_URL' in os.environ\n"
        "assert not {'DATABASE_URL', 'REDIS_URL'} & set(os.environ)\n"
    )
    subprocess.run([sys.executable, "-c", program, project.root], env=environment(), check=True, timeout=90)
    assert project.running() == [False, False]


def test_command_line(new_project: Project) -> None:
    assert "stopped" in new_project.command("status").stdout
    assert list(new_project.root.iterdir()) == []
    assert new_project.command("stop").returncode == 0

    show = "import json, os; print(json.dumps(dict(os.environ))); raise SystemExit(7)"
    done = new_project.command("exec", "--", sys.executable, "-c", show)
    assert done.returncode == 7
    assert json.loads(done.stdout)["DATABASE_URL"].endswith("/kanpu")
    assert new_project.command("exec", "--", "/no/such/program").returncode == 127
    assert new_project.running() == [False, False]

    holder = new_project.hold()
    holder.addresses()
    status = new_project.command("status").stdout
    assert f"pid {new_project.postgres.pid()}" in status
    assert f"port {new_project.postgres.port()}" in status
    refused = new_project.command("stop")
    assert refused.returncode == 1
    assert f"process {holder.process.pid}" in refused.stderr
    holder.kill()
    status = new_project.command("status").stdout
    assert "running" in status
    assert "used by" not in status
    assert new_project.command("stop").returncode == 0
    assert new_project.running() == [False, False]


def test_sigterm_to_exec_reaches_the_command(project: Project) -> None:
    line = [sys.executable, "-m", "config.services", "--root", str(project.root), "exec", "--"]
    wait = "import signal, time\nsignal.signal(15, lambda *_: exit(9))\nprint('up', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen([*line, sys.executable, "-c", wait], env=environment(), stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert project.running() == [False, False]
