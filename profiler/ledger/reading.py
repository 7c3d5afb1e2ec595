"""A ledger read back: of a run that ended, runs, or was killed, on one host or several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from profiler.errors import StoreError
from profiler.recording.journal import last_instant_s, recover

from .accounts import Account, accounts_of, close, close_unread
from .entries import KILLED, RUNNING, LedgerSummary
from .findings import readings_gone
from .ledger_file import LedgerFile, is_held, journal_name, ledger_path, read_lines
from .settlement import Seen
from .summary import summarise

_LEDGER_NAME = re.compile(r"ledger(?:-host(\d+))?\.jsonl")


def read_ledger(folder: Path | str) -> LedgerSummary:
    """Everything that a run has cost so far.

    What its processes settled is taken from their ledgers; what they did not come to settle is
    inferred from their journals.

    Raises:
        StoreError: there is no ledger, or one that cannot be read (with the number of its line).
    """
    folder = Path(folder)
    accounts: list[Account] = []
    for path in _ledgers(folder):
        own = accounts_of(read_lines(path))
        held = is_held(path)
        for account in own:
            ended = RUNNING if held and account is own[-1] else KILLED
            accounts.append(account if account.end else recovered(account, folder, ended))
    if not accounts:
        raise StoreError(
            f"there is no ledger in {folder}",
            hint=f"name the folder of a run: it holds {ledger_path(folder, 0).name}",
        )
    return summarise(accounts)


def _ledgers(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        return ()
    names = [(_LEDGER_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    found = [(int(match[1] or 0), path) for match, path in names if match]
    return [path for _, path in sorted(found)]


def close_killed(file: LedgerFile, folder: Path) -> tuple[Account, ...]:
    """The segments of a ledger that is gone on with; what a killed one left open is written down.

    A journal that is broken does not keep anybody from training: the finding says what is lost.
    """
    accounts = []
    for account in accounts_of(file.lines()):
        if account.end is None:
            known = len(account.settled)
            try:
                account = recovered(account, folder, KILLED)
            except StoreError as error:
                finding = readings_gone(account.start.segment, error.message)
                account = close_unread(account, ended=KILLED, finding=finding)
            if account.end is not None:
                file.append(*account.settled[known:], account.end)
        accounts.append(account)
    return tuple(accounts)


def free_segment(accounts: Sequence[Account], folder: Path, host: int) -> int:
    """The number of the next segment, of which there is no journal either."""
    number = max((account.start.segment + 1 for account in accounts), default=0)
    while (folder / journal_name(number, host)).exists():
        number += 1
    return number


def recovered(account: Account, folder: Path, ended: str) -> Account:
    """A segment without end, closed with what its journal holds."""
    start = account.start
    path = folder / start.journal
    if not path.exists():
        finding = readings_gone(start.segment, f"there is no {start.journal}")
        return close_unread(account, ended=ended, finding=finding)
    traces, windows = recover(path)
    now_s = max(last_instant_s(traces, windows), account.settled_s)
    return close(account, Seen(traces=traces, windows=windows, now_s=now_s), ended=ended)
