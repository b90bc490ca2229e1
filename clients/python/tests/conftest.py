import pytest
from admin_gateway import _inventories, _leases


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Pauses between attempts are as long as tests can wait."""
    monkeypatch.setattr(_inventories, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(_leases, "_FIRST_PAUSE", 0.1)
