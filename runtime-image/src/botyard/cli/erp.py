"""`botyard erp`: what a database's administrator runs so that bots can write rows."""

import argparse
import re
import sys
from collections.abc import Sequence

from botyard.cli.errors import EXIT_USAGE, CommandError

_GRANT = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]{0,62})(?:=((?:SELECT|INSERT|UPDATE|DELETE)(?:,(?:SELECT|INSERT|UPDATE|DELETE))*))?"
)


def run(argv: Sequence[str]) -> int:
    """Print SQL.

    Raises:
        CommandError: A table is written wrongly.
    """
    from botyard.erp.store import audit

    options = _parser().parse_args(argv)
    tables = dict(map(_table, options.tables))
    sys.stdout.write(audit.SETUP)
    for role in options.role:
        sys.stdout.write(audit.grants(role, tables))
    return 0


def _table(written: str) -> tuple[str, str]:
    match = _GRANT.fullmatch(written)
    if match is None:
        raise CommandError(
            f"erp sql: {written!r}: write a table with what may be done, such as crm_contact=SELECT,UPDATE",
            code=EXIT_USAGE,
        )
    return match[1], (match[2] or "SELECT").replace(",", ", ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="botyard erp", description="Rows of the company's database.")
    commands = parser.add_subparsers(dest="command", required=True)
    sql = commands.add_parser("sql", help="print the SQL that lets Personas write, for psql")
    sql.add_argument("--role", action="append", default=[], help="role of a Persona; may be given several times")
    sql.add_argument(
        "tables", nargs="*", metavar="TABLE[=RIGHTS]", help="what the roles may do, such as crm_contact=SELECT,UPDATE"
    )
    return parser
