"""What each rank does in tests/integration/test_training_ddp.py; torchrun runs this file.

torchrun --nproc-per-node 2 tests/integration/ranks.py agree FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn

from profiler.ledger import Ledger, Phase
from profiler.machine.carbon import carbon_factors
from profiler.meters.rapl import RaplMeter
from tests.virtual.power import constant
from tests.virtual.sysfs import SysfsTree, add_domain, counter_uj
from training import cli
from training.cli.session import stoppable
from training.distribution import Group, joined
from training.distribution import exchange as agreement

POWER_W = 100.0
IMAGE_COUNT = 23
BATCHES = (8, 7, 1)  # even, uneven and fewer images than ranks


def make_model(num_classes: int) -> nn.Module:
    """A model without BatchNorm."""
    head = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, num_classes))
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), *head)


class Raising(nn.Module):
    """A model with a mistake in it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise ValueError("no such layer")


def make_raising(num_classes: int) -> nn.Module:
    return nn.Sequential(make_model(num_classes), Raising())


def make_problem() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A model, images and labels: the same in every process."""
    torch.manual_seed(0)
    model = make_model(5).to(memory_format=torch.channels_last)
    return model, torch.randn(IMAGE_COUNT, 3, 8, 8), torch.randint(5, (IMAGE_COUNT,))


def take_steps(group: Group) -> list[list[float]]:
    """The parameters after a step on each of `BATCHES`."""
    model, images, labels = make_problem()
    runner = group.wrap(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    after = []
    for count in BATCHES:
        part, weight = group.step_shard(count)
        loss = nn.functional.cross_entropy(runner(images[:count][part]), labels[:count][part])
        optimizer.zero_grad()
        (weight * loss).backward()
        optimizer.step()
        after.append(torch.cat([p.detach().flatten() for p in model.parameters()]).tolist())
    return after


def count_right(group: Group) -> list[int]:
    """Right answers and images of an evaluation that the ranks share."""
    model, images, labels = make_problem()
    part = group.shard(IMAGE_COUNT)
    right = (model(images[part]).argmax(1) == labels[part]).sum()
    return group.sum(torch.stack((right, torch.tensor(len(labels[part]))))).tolist()


def agree(group: Group, folder: Path) -> dict[str, object]:
    """Use every method of a group once."""
    norm = nn.BatchNorm1d(2)
    norm.running_mean += group.rank + 1
    group.copy_from_first(norm)
    return {
        "steps": take_steps(group),
        "right": count_right(group),
        "gathered": group.gather({"rank": group.rank}),
        "first": group.from_first(f"from {group.rank}"),
        "any": (group.any(group.rank == 1), group.any(False)),
        "mean": norm.running_mean.tolist(),
        "hosts": group.gather(group.host),
        "host_count": group.host_count,
        "findings": [finding.kind for finding in group.findings],
        "seconds": keep_ledger(group, folder),
    }


def keep_ledger(group: Group, folder: Path) -> float:
    """Seconds that the ledger of this host covers."""
    ledger = None
    if group.host is not None and group.sensors is not None:
        ledger = Ledger(
            folder,
            recipe={},
            epochs=1,
            carbon=carbon_factors(),
            host=group.host,
            meters=group.sensors.meters,
        )
    with ledger or nullcontext():
        start_s = time.monotonic()
        with ledger.phase(Phase.TRAIN, epoch=1) if ledger else nullcontext():
            while not group.any(time.monotonic() - start_s > 1.5):
                time.sleep(0.05)
        end_s = time.monotonic()
    group.collect(folder)
    return end_s - start_s


def fail(group: Group) -> None:
    """The second rank meets an error of its own, the first waits for it."""
    with group.guard(4):
        if group.rank == 1:
            raise ValueError("rank 1 has no room")
        group.gather(None)


def use_virtual_package(root: Path) -> None:
    """Let RAPL's meter find a package of 100 W, begun at the same instant for all processes."""
    tree = SysfsTree(root, time.monotonic)
    add_domain(tree, "intel-rapl:0", "package-0", counter_uj(constant(POWER_W)))
    RaplMeter.__init__.__defaults__ = (tree.root,)
    RaplMeter.__init__.__kwdefaults__ = {"reader": tree, "host_root": tree.root / "absent"}


def be_a_machine(rank: str, folder: Path) -> None:
    """Another boot, and a disk that nobody else sees."""
    agreement.machine_id = lambda hostname: f"boot {rank}"
    place = folder / f"host-{rank}"
    place.mkdir()
    os.chdir(place)


def main() -> int:
    what, folder, words = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    rank = os.environ["RANK"]
    out = folder / "run"
    if os.environ.get("RANKS_APART") == "1":
        be_a_machine(rank, folder)
        out = Path("run")
    with tempfile.TemporaryDirectory() as root:
        use_virtual_package(Path(root))
        if what == "train":
            (folder / f"rank-{rank}.pid").write_text(str(os.getpid()))
            return cli.main(["train", "--device", "cpu", "--out", str(out), *words])
        # torchrun ends the first rank as soon as the second has failed.
        with stoppable(), joined("cpu") as group:
            done = agree(group, folder)
            (folder / f"rank-{rank}.json").write_text(json.dumps(done), encoding="utf-8")
            if what == "agree-then-fail":
                fail(group)
    return 0


if __name__ == "__main__":
    sys.exit(main())
