"""What was wrong with data, in one vocabulary for every stage from vendor file to warehouse.

Belongs here: the named rules and the record that says what broke, where and what to do. Not here: who stores it
(`warehouse`) and who shows it (`checks`, `cli`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from hd_pipelines.tables.vocabulary import Rule, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was wrong: rule, place, extent and cure. Equal places give equal `finding_id`s.

    `subject` is what the reader would look up: an object key, a ticker or a symbol. `first_row` is the 1-based data
    row of the file (the header is row 0); None where the finding is not about a row.
    """

    rule: Rule
    severity: Severity
    dataset: str
    session: date | None
    subject: str
    detail: str
    cure: str
    rows: int = 1
    first_row: int | None = None

    @property
    def finding_id(self) -> str:
        """32 hex digits, a pure function of rule, dataset, session and subject: seeing it again updates, never adds."""
        place = "\x1f".join((self.rule, self.dataset, str(self.session or ""), self.subject))
        return hashlib.sha256(place.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        where = f"{self.dataset} {self.session}" if self.session else self.dataset
        row = f", row {self.first_row}" if self.first_row is not None else ""
        return f"{self.severity.upper()} {self.rule} in {where}, {self.subject}{row}: {self.detail} Cure: {self.cure}"
