"""Every fault and what came out of it: `python -m tests.bench.faults`.

A number whose interval holds the truth is right; none, with a finding that says why, is told;
anything else is silently wrong.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from tests.virtual.faults import CASES, Answer


def summary(answers: list[Answer]) -> str:
    counts = Counter(answer.verdict for answer in answers)
    return ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in ("right", "told", "WRONG") if counts[verdict]
    )


def main() -> None:
    wrong_count = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES):
            answers = list(case.play(Path(folder) / str(number)))
            kinds = dict.fromkeys(f.kind for answer in answers for f in answer.findings)
            wrong = [answer for answer in answers if answer.verdict == "WRONG"]
            wrong_count += bool(wrong)
            print(f"{case.name:44}{summary(answers):24}{', '.join(kinds)}")
            for answer in wrong:
                print(f"    WRONG {answer.target}: {answer.energy_j}, truth {answer.truth_j}")
    print(f"\nsilently wrong: {wrong_count} of {len(CASES)}")


if __name__ == "__main__":
    main()
