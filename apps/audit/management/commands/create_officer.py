import sys
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer


class Command(OperatorCommand):
    help = (
        "Make a user an officer, or change an officer's roles and office. A new one gets a password that is shown once "
        "and changed at the first sign-in."
    )

    def arguments(self, parser: CommandParser) -> None:
        roles = [str(role) for role in Role]
        parser.add_argument("username")
        parser.add_argument("--role", action="append", default=[], choices=roles, help="can be given more than once")
        parser.add_argument("--remove-role", action="append", default=[], choices=roles)
        parser.add_argument("--office", default="", help="as residents read it in the list of who looked")
        parser.add_argument("--email", default="")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def run(self, **options: Any) -> dict[str, Any]:
        appointed = appoint_officer(
            options["username"],
            add=[Role(name) for name in options["role"]],
            remove=[Role(name) for name in options["remove_role"]],
            office=options["office"],
            email=options["email"],
            password=sys.stdin.readline().rstrip("\n") if options["password_stdin"] else None,
            at=timezone.now(),
            actor=operator(),
        )
        result = {"username": appointed.username, "office": appointed.office, "roles": list(appointed.roles)}
        return result | ({"first_password": appointed.first_password} if appointed.first_password else {})
