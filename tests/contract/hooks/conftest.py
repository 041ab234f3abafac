from tests.contract.journal_stores import server

__all__ = ["server"]
