"""The words of a report that are not everybody's, each explained once."""

from __future__ import annotations

from .document import Column, Section, Table

TITLE = "Words"
SEE = f'Words such as "segment model" and "closure" are explained under "{TITLE}", at the end.'

_WORDS = {
    "block": "many calls in a row, timed together; 'synchronised' means that the device had "
    "finished all of them when the clock was read at either end",
    "segment model": "how the joules of a short span are inferred from a counter that moves "
    "seldom: the power in each span is an unknown, every move of the counter is one equation, and "
    "all are solved together",
    "stamps": "the times noted before and after each layer inside a call of the whole model; what "
    "noting them costs is measured and subtracted",
    "closure": "the sum over the layers divided by the whole model: 1 where nothing is missing and "
    "nothing is counted twice",
    "efficiency score": "a figure of a published study on small image classifiers: storage plus "
    "compute relative to a reference network, from parameters, MACs and bits; lower is better",
    "gross, net": "gross is all that the device drew, net is gross minus what it draws when idle",
}


def glossary(*words: str) -> Section:
    """These words, or all without any, for the end of a report."""
    columns = (Column(label="word"), Column(label="means"))
    rows = tuple((word, _WORDS[word]) for word in words or _WORDS)
    return Section(
        title=TITLE, tables=(Table(caption="What they mean here", columns=columns, rows=rows),)
    )
