"""A copy of the embedded store, made while the gateway runs."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.admin.access import Permission, Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError

Copy = Callable[[Path], Awaitable[None]]
"""Writes a copy to a path. Raises StoreUnavailableError."""


class Backup:
    """``copy`` is None where the store is not a file: Redis has its own ways."""

    def __init__(self, copy: Copy | None, folder: Path, audit: Audit) -> None:
        self._copy = copy
        self._folder = folder
        self._audit = audit

    @asynccontextmanager
    async def made(self, who: Principal) -> AsyncIterator[Path]:
        """A file that is there until the context ends, beside the store, where there is room for one. It holds what
        people wrote. Raises NotAllowedError, ConflictError and StoreUnavailableError.
        """
        who.check(Permission.ADMINISTER)
        if self._copy is None:
            raise ConflictError(
                "this store is no file; back up Redis itself (its RDB or AOF files), or a replica of it"
            )
        with tempfile.TemporaryDirectory(prefix=".turnkeeper-backup-", dir=self._folder) as folder:
            path = Path(folder) / "turnkeeper.db"
            await self._copy(path)
            await self._audit.record(who, "store.backed_up", "store")
            yield path
