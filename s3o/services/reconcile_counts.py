"""What a comparison of listings with the ledger has found and done, in numbers."""

from dataclasses import dataclass, field

from s3o.services.importing import ImportCounts

_EXAMPLES = 5


@dataclass(slots=True, kw_only=True)
class BackendCounts:
    """One backend's pass, while it goes on."""

    listed: int = 0
    known: int = 0
    imports: ImportCounts = field(default_factory=ImportCounts)
    changed: int = 0  # not what the ledger says: suspect now
    missing: int = 0  # locations whose name was not listed
    unknown: int = 0  # names of our shape that nothing accounts for
    lost: int = 0  # confirmed missing
    taken: int = 0  # confirmed missing, and enough other copies: the row went
    queued: int = 0  # unknown, confirmed: to be deleted
    kept: int = 0  # unknown, but nothing proves that they are garbage
    ahead: int = 0  # of those, written by a later life of the ledger
    examples: list[str] = field(default_factory=list)  # lost names

    def note_lost(self, name: str) -> None:
        """Count a confirmed loss."""
        self.lost += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one call did, over all backends it was asked about.

    removed: rows taken away because the bytes are gone and other copies exist, and
    names queued for deletion. missing, unknown: open findings. errors: a line per
    backend about which nothing was concluded.
    """

    imported: int = 0
    removed: int = 0
    missing: int = 0
    unknown: int = 0
    backends_scanned: int = 0
    errors: tuple[str, ...] = ()
    imported_bytes: int = 0
    skipped: int = 0
    changed: int = 0
    lost: int = 0

    def plus(self, counts: BackendCounts, *, error: str = "") -> "Reconciled":
        """Return the sum with one backend's pass; with error it was incomplete."""
        return Reconciled(
            imported=self.imported + counts.imports.imported,
            removed=self.removed + counts.taken + counts.queued,
            missing=self.missing + counts.missing,
            unknown=self.unknown + counts.unknown,
            backends_scanned=self.backends_scanned + int(not error),
            errors=(*self.errors, error) if error else self.errors,
            imported_bytes=self.imported_bytes + counts.imports.imported_bytes,
            skipped=self.skipped + counts.imports.skipped,
            changed=self.changed + counts.changed,
            lost=self.lost + counts.lost,
        )

    def report(self) -> str:
        """Say it in a few words; "" for nothing."""
        words = (
            ("imported", self.imported),
            ("removed", self.removed),
            ("lost", self.lost),
            ("changed", self.changed),
            ("missing", self.missing),
            ("unknown", self.unknown),
        )
        found = [f"{word} {count}" for word, count in words if count]
        return ", ".join([*found, *self.errors])
