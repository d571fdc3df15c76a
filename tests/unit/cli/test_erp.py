"""`botyard erp sql`: what a database's administrator runs."""

import pytest

from botyard.cli.erp import run
from botyard.cli.errors import EXIT_USAGE, CommandError


def test_it_prints_the_record_s_table_and_what_each_role_may_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sql", "--role", "nora", "--role", 'o"dd', "crm_contact=SELECT,UPDATE", "com_order"]) == 0
    printed = capsys.readouterr().out
    assert "CREATE TABLE IF NOT EXISTS public.botyard_audit" in printed
    assert 'GRANT SELECT, UPDATE ON "crm_contact" TO "nora";' in printed
    assert 'GRANT SELECT ON "com_order" TO "nora";' in printed
    assert 'GRANT SELECT, INSERT ON public.botyard_audit TO "o""dd";' in printed


@pytest.mark.parametrize("table", ["crm_contact=ALL", "crm contact", "a;b", "a=SELECT,"])
def test_a_table_that_is_written_wrongly_is_told(table: str) -> None:
    with pytest.raises(CommandError, match="such as crm_contact=SELECT,UPDATE") as refused:
        run(["sql", "--role", "nora", table])
    assert refused.value.code == EXIT_USAGE
