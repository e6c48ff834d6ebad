"""An installation as in production, on this machine: roles, secrets, TLS and many processes, to prove that it works.

PostgreSQL and Redis are those of the checkout; everything else is as on a real host, and is made in one folder.
"""

import ipaddress
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from psycopg import sql

from apps.kernel.errors import KanpuError
from apps.residents.keyring import write_private
from apps.simulator.processes import ProcessFailed, web_command

DATABASE: Final = "kanpu_production"
OWNER, APP, AUDITOR = "kanpu_owner", "kanpu_app", "kanpu_auditor"
HOST: Final = "localhost"
CERTIFICATE_DAYS: Final = 30
WORKER, WEB, AUDIT_LOG, NONE = "worker", "web", "audit_log", "none"  # which keys a process gets


class NoSuperuser(KanpuError):
    """The database server is somebody else's."""

    code = "no_superuser"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where everything is, and the servers' addresses by role."""

    folder: Path
    root: Path
    server: str  # postgresql://user:password@host:port, without a database
    redis_url: str

    def file(self, name: str) -> Path:
        return self.folder / name

    def environment(self, keys: str, *, role: str = APP) -> dict[str, str]:
        """What a process of production finds in its environment: only the keys that it needs."""
        given = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
        given |= {
            "KANPU_PRODUCTION": "1",
            "KANPU_HOSTS": f"{HOST},127.0.0.1",
            "KANPU_PORTAL_URL": f"https://{HOST}:8444",
            "KANPU_SECRET_KEY_FILE": str(self.file("secret-key")),
            "KANPU_FACTOR_KEY_FILE": str(self.file("factor-key")),
            "KANPU_METRICS_TOKEN_FILE": str(self.file("metrics-token")),
            "KANPU_METRICS": str(self.file("metrics")),
            "KANPU_ARCHIVE": str(self.file("archive")),
            "KANPU_AUDIT_LOG": str(self.file("audit-log")),
            "KANPU_PAYOUTS": str(self.file("payouts")),
            "DATABASE_URL": self.address(role),
            "REDIS_URL": self.redis_url,
        }
        given["KANPU_AUDIT_KEY"] = str(self.file("audit.pem") if keys == AUDIT_LOG else self.file("no-audit-key"))
        if keys == WORKER:
            given["KANPU_KEYRING"] = str(self.file("keyring.json"))
        if keys == WEB:
            given["KANPU_VAULT_KEYS"] = str(self.file("vault.json"))
        return given

    def address(self, role: str) -> str:
        """The database's address for a role."""
        host = self.server.rpartition("@")[2]
        return f"postgresql://{role}:{self.file(f'{role}.password').read_text()}@{host}/{DATABASE}"

    def manage(self, *command: str, role: str = OWNER, keys: Mapping[str, str] | None = None) -> None:
        """A command of manage.py with the settings of production. Raises ProcessFailed."""
        environment = self.environment(NONE, role=role) | dict(keys or {})
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=self.root, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise ProcessFailed(f"manage.py {' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")


def prepare(installation: Installation) -> None:
    """Make what is not there yet: secrets, certificate, roles, database, tables, rights, keys. Can be done again."""
    installation.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("secret-key", "factor-key", "metrics-token", *(f"{role}.password" for role in (OWNER, APP, AUDITOR))):
        if not installation.file(name).exists():
            write_private(installation.file(name), secrets.token_urlsafe(48))
    if not installation.file("tls.key").exists():
        _make_certificate(installation)
    for name in ("archive", "audit-log", "payouts", "metrics"):
        installation.file(name).mkdir(mode=0o700, exist_ok=True)
    _make_roles(installation)
    installation.manage("migrate", "--verbosity", "0")
    installation.manage("collectstatic", "--no-input", "--verbosity", "0")
    installation.manage("grant_application", APP)
    installation.manage("grant_auditor", AUDITOR)
    if not installation.file("keyring.json").exists():
        both = {"KANPU_VAULT_KEYS": str(installation.file("vault.json"))}
        installation.manage("make_keys", "--out", str(installation.file("keyring.json")), keys=both)


def _make_roles(installation: Installation) -> None:
    """A database that belongs to a role which nobody works as, and two that own nothing. Raises NoSuperuser."""
    with psycopg.connect(f"{installation.server}/postgres", autocommit=True) as connection:
        try:
            for role in (OWNER, APP, AUDITOR):
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                statement = "ALTER ROLE {} LOGIN PASSWORD {}" if known else "CREATE ROLE {} LOGIN PASSWORD {}"
                password = installation.file(f"{role}.password").read_text()
                connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(password)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                names = sql.Identifier(DATABASE), sql.Identifier(OWNER)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*names))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE)))
            for role in (APP, AUDITOR):
                names = sql.Identifier(DATABASE), sql.Identifier(role)
                connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(*names))
        except psycopg.errors.InsufficientPrivilege as error:
            raise NoSuperuser("This needs a PostgreSQL of its own: unset DATABASE_URL.") from error


def _make_certificate(installation: Installation) -> None:
    """A certificate for this machine that nobody vouches for, and its key in PKCS#8."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    installation.file("tls.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    write_private(installation.file("tls.key"), pem)


def processes(installation: Installation, *, api_port: int, portal_port: int) -> dict[str, tuple[list[str], str]]:
    """Each process of production: its command, and which keys it gets."""
    celery = [str(Path(sys.executable).parent / "celery"), "--quiet", "-A", "config.celery"]
    manage = [sys.executable, "manage.py"]
    return {
        "api": (_granian(installation, api_port, workers=2), NONE),
        "portal": (_granian(installation, portal_port, workers=2), WEB),
        "worker": ([*celery, "worker", "--concurrency", "2", "--without-mingle", "--without-gossip"], WORKER),
        "sweep": ([*manage, "sweep_outbox"], WORKER),
        "audit-log": ([*manage, "sequence_audit_log", "--make-key"], AUDIT_LOG),
        "beat": ([*celery, "beat", "--schedule", str(installation.file("beat"))], NONE),
        "mail": ([*manage, "send_mail"], WEB),
    }


def _granian(installation: Installation, port: int, *, workers: int) -> list[str]:
    tls = ["--ssl-certificate", str(installation.file("tls.pem")), "--ssl-keyfile", str(installation.file("tls.key"))]
    return web_command(port, workers=workers, options=tls)
