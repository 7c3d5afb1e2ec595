"""From what the ledger wrote down to Costs."""

from __future__ import annotations

from collections.abc import Iterable

from profiler.values.layer_cost import LayerCost

from .attribution import Attribution
from .costs import Costs
from .dispatch import OperatorCounter
from .nonzero import effective_macs
from .sizes import own_tensors
from .torchscript import opaque_ops
from .traffic import TrafficTally, Weights


def add_up(
    attribution: Attribution, ledger: OperatorCounter, weights: Weights, *, backward: bool
) -> Costs:
    """Totals and rows of a finished run."""
    attribution.look_around()
    _list_opaque(attribution, ledger)
    forward = ledger.forward_tallies
    effective = effective_macs(forward, weights)
    parameter_bytes, buffer_bytes, owned = own_tensors(attribution.modules)
    layers = _layers(attribution, forward, effective, owned)
    tallies = forward.values()
    back = {p: t.mac_count for p, t in sorted(ledger.backward_tallies.items()) if t.mac_count}
    return Costs(
        mac_count=sum(tally.mac_count for tally in tallies),
        effective_mac_count=None if effective is None else sum(effective.values()),
        backward_mac_count=sum(back.values()) if backward else None,
        parameter_count=sum(owned),
        parameter_bytes=parameter_bytes,
        buffer_bytes=buffer_bytes,
        weight_read_bytes=sum(tally.weight_read_bytes for tally in tallies),
        activation_read_bytes=sum(tally.activation_read_bytes for tally in tallies),
        written_bytes=sum(tally.written_bytes for tally in tallies),
        layers=layers,
        backward_layers=tuple((attribution.paths[p], macs) for p, macs in back.items()),
        op_mac_counts=tuple(ledger.op_mac_counts.most_common()),
        uncounted_ops=_uncounted(attribution, [*tallies, *ledger.backward_tallies.values()]),
        fourier_operation_count=ledger.fourier_operation_count,
        op_call_count=ledger.op_call_count,
        covered_call_count=ledger.covered_call_count,
    )


def _layers(
    attribution: Attribution,
    tallies: dict[int, TrafficTally],
    effective: dict[int, int] | None,
    owned: list[int],
) -> tuple[LayerCost, ...]:
    rows = []
    for position, module in enumerate(attribution.modules):
        call_count = attribution.call_counts[position]
        if not (call_count or owned[position] or position in tallies):
            continue
        tally = tallies.get(position) or TrafficTally()
        rows.append(
            LayerCost(
                path=attribution.paths[position],
                kind=type(module).__name__,
                call_count=call_count,
                parameter_count=owned[position],
                mac_count=tally.mac_count,
                read_bytes=tally.weight_read_bytes + tally.activation_read_bytes,
                written_bytes=tally.written_bytes,
                uncounted_ops=tuple(tally.uncounted),
                effective_mac_count=None if effective is None else effective.get(position, 0),
            )
        )
    return tuple(rows)


def _list_opaque(attribution: Attribution, ledger: OperatorCounter) -> None:
    for position, module in enumerate(attribution.modules):
        if not attribution.call_counts[position] or id(module) in ledger.ruled_modules:
            continue
        for name, call_count in opaque_ops(module).items():
            ledger.forward_tallies.setdefault(position, TrafficTally()).uncounted[name] = None
            ledger.op_call_count += call_count


def _uncounted(attribution: Attribution, tallies: Iterable[TrafficTally]) -> tuple[str, ...]:
    names = dict.fromkeys(name for tally in tallies for name in tally.uncounted)
    for kind in sorted(attribution.unseen):
        names[f"{kind} in another thread"] = None
    return tuple(names)
