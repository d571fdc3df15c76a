"""The names that bundles import for accounting and storage."""

import json
from pathlib import Path

from kdcube_ai_app.infra.accounting import AccountingEvent, AccountingSystem, ServiceUsage, track_llm, with_accounting
from kdcube_ai_app.storage.storage import create_storage_backend


async def test_a_bundle_records_into_the_backend_of_its_host(tmp_path: Path) -> None:
    backend = create_storage_backend(f"file://{tmp_path}")
    AccountingSystem.init_storage(storage_backend=backend, enabled=True)
    try:

        @track_llm(usage_extractor=lambda result, *args, **kwargs: ServiceUsage(input_tokens=1, output_tokens=2))
        async def ask() -> str:
            return "x"

        AccountingSystem.set_context(tenant_id="t", project_id="p")
        async with with_accounting("my.bundle"):
            await ask()
    finally:
        AccountingSystem.init_storage(None)
        AccountingSystem.clear_context()
    (path,) = await backend.list_with_prefix_a("accounting/t/p")
    event = AccountingEvent.from_dict(json.loads(backend.read_text(path)))
    assert event.usage.total_tokens == 3
    assert event.component == "my.bundle"
    assert backend.list_dir("accounting") == ["t"]
