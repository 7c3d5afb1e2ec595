"""RAPL domains: which socket each belongs to, what it is called, and what lies inside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.values.trace import Channel

BESIDE_PACKAGE = ("dram",)
PLATFORM = "psys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One folder: its place in the numbering ((0,), (0, 1)), and the name the kernel gives it."""

    folder: Path
    place: tuple[int, ...]
    name: str

    @property
    def interface(self) -> str:
        return self.folder.name.partition(":")[0]

    @property
    def is_platform(self) -> bool:
        return self.name.partition("-")[0] == PLATFORM

    @property
    def socket(self) -> int | None:
        """Number of the processor in "package-1-die-0" or "psys-1"; None where the name has none.

        The kernel leaves the number of the first socket's platform out.
        """
        found = re.match(rf"(?:package|{PLATFORM})-(\d+)", self.name)
        return int(found[1]) if found else None


def without_mirrors(domains: Sequence[Domain]) -> list[Domain]:
    """What MMIO shows, the registers show as well: its domains only where these lack them."""
    by_place = {(domain.interface, domain.place): domain for domain in domains}

    def names(domain: Domain) -> tuple[str, ...]:
        places = [domain.place[:depth] for depth in range(1, len(domain.place) + 1)]
        found = (by_place.get((domain.interface, place)) for place in places)
        return tuple("" if parent is None else parent.name for parent in found)

    shown_first = {names(domain) for domain in domains if domain.interface == "intel-rapl"}
    kept = [d for d in domains if d.interface == "intel-rapl" or names(d) not in shown_first]
    return sorted(kept, key=lambda d: (d.interface != "intel-rapl", d.place))


def parent_of(domain: Domain, domains: Sequence[Domain]) -> Domain | None:
    """The domain in whose folder a domain's folder lies."""
    matches = (
        other
        for other in domains
        if other.interface == domain.interface and other.place == domain.place[:-1]
    )
    return next(matches, None)


def label_of(domain: Domain, domains: Sequence[Domain]) -> str:
    """The kernel's name of a domain, with that of its parent."""
    parent = parent_of(domain, domains)
    return domain.name if parent is None else f"{domain.name} of {parent.name}"


def device_of(domain: Domain, domains: Sequence[Domain]) -> str:
    """A name of its own for each domain, also where the kernel gives two the same one."""
    parent = parent_of(domain, domains)
    if domain.is_platform and parent is None:
        number = _platforms(domains).index(domain)
        return PLATFORM if number == 0 else f"{PLATFORM}:{number}"
    if parent is None:
        return f"cpu:{domain.name}{_repeated(domain, domains)}"
    package = f"{parent.name}{_repeated(parent, domains)}"
    own = f"{domain.name}{_repeated(domain, domains)}"
    if domain.name in BESIDE_PACKAGE:
        return f"{domain.name}:{package}"
    return f"cpu:{package}/{own}"


def _platforms(domains: Sequence[Domain]) -> list[Domain]:
    return [domain for domain in domains if domain.is_platform and len(domain.place) == 1]


def _repeated(domain: Domain, domains: Sequence[Domain]) -> str:
    """What tells a domain from earlier ones of its name under one parent: "#1", "#2", ..."""
    alike = [
        other
        for other in domains
        if other.name == domain.name
        and len(other.place) == len(domain.place)
        and parent_of(other, domains) == parent_of(domain, domains)
    ]
    number = alike.index(domain)
    return f"#{number}" if number else ""


def with_contents(channels: Sequence[Channel], domains: Sequence[Domain]) -> tuple[Channel, ...]:
    """Fill `contains`: what is inside a package, and everything of its socket inside a platform."""
    by_folder = {str(domain.folder): domain for domain in domains}
    platforms = _platforms(domains)
    filled: list[Channel] = []
    for channel in channels:
        others = [c for c in channels if c.device != channel.device and not _is_platform(c)]
        if _is_platform(channel):
            own = by_folder[channel.identity or ""]
            inside = [c for c in others if _platform_of(c, by_folder, domains, platforms) == own]
        else:
            inside = [c for c in others if c.device.startswith(f"{channel.device}/")]
        filled.append(replace(channel, contains=tuple(c.device for c in inside)))
    return tuple(filled)


def _is_platform(channel: Channel) -> bool:
    return channel.device.partition(":")[0] == PLATFORM


def _platform_of(
    channel: Channel,
    by_folder: dict[str, Domain],
    domains: Sequence[Domain],
    platforms: Sequence[Domain],
) -> Domain:
    """The platform around a domain: the only one, or that of its socket, or else the first."""
    package = by_folder[channel.identity or ""]
    while (parent := parent_of(package, domains)) is not None:
        package = parent
    sockets = [number if p.socket is None else p.socket for number, p in enumerate(platforms)]
    socket = package.socket or 0
    return platforms[sockets.index(socket) if len(sockets) > 1 and socket in sockets else 0]
