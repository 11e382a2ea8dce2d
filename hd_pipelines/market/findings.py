"""Names the rules that data can break, and the record of one broken rule: what, where, how much and the remedy.

One vocabulary for every stage from vendor file to warehouse. Storing findings is done in `warehouse`, showing them in
`checks` and `cli`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from hd_pipelines.tables.vocabulary import Rule, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was wrong: rule, place, extent and remedy (`cure`). Findings at the same place share a `finding_id`.

    `subject` is what the reader would look up: an object key, a ticker or a symbol. `first_row` is the 1-based data row of
    the file (the header is row 0), or None if the finding is not about a row.
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
        """32 hex digits from rule, dataset, session and subject. A repeated finding updates its row and adds none."""
        place = "\x1f".join((self.rule, self.dataset, str(self.session or ""), self.subject))
        return hashlib.sha256(place.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        where = f"{self.dataset} {self.session}" if self.session else self.dataset
        row = f", row {self.first_row}" if self.first_row is not None else ""
        return f"{self.severity.upper()} {self.rule} in {where}, {self.subject}{row}: {self.detail} Cure: {self.cure}"
