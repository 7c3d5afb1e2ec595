"""Joules -> kWh -> gCO2e: the two factors, and where each of them comes from."""

from __future__ import annotations

from profiler.errors import UsageError
from profiler.values.estimate import Basis, Estimate, stated
from profiler.values.profile import CarbonFactors

WORLD_INTENSITY_G_PER_KWH = 475.0
CARBON_UNIT = "g/kWh"


def carbon_factors(
    *,
    country: str | None = None,
    intensity_g_per_kwh: float | None = None,
    pue: float | None = None,
) -> CarbonFactors:
    """The factors for a place.

    Args:
        country: ISO 3166 alpha-3 code ("FRA"), looked up in CodeCarbon's table, offline.
        intensity_g_per_kwh: wins over the country.
        pue: power usage effectiveness, at least 1; 1.0 (no overhead) is assumed without it.

    Raises:
        UsageError: unknown country, negative intensity, PUE below 1.
    """
    return CarbonFactors(
        intensity_g_per_kwh=_intensity(country, intensity_g_per_kwh), pue=_pue(pue)
    )


def _intensity(country: str | None, given_g_per_kwh: float | None) -> Estimate:
    if given_g_per_kwh is not None:
        if not 0 <= given_g_per_kwh < 10_000:
            raise UsageError(
                f"a carbon intensity of {given_g_per_kwh} g/kWh is not possible",
                hint="give grams of CO2e per kWh, such as --intensity 369",
            )
        return stated(given_g_per_kwh, CARBON_UNIT, Basis.QUOTED, "given by --intensity")
    if country is None:
        source = "world mean, CodeCarbon's default; name a place with --country"
        return stated(WORLD_INTENSITY_G_PER_KWH, CARBON_UNIT, Basis.ASSUMED, source)
    from profiler.meters.codecarbon import carbon_intensity_g_per_kwh, known_countries

    code = country.upper()
    found = carbon_intensity_g_per_kwh(code)
    if found is None:
        import difflib

        near = difflib.get_close_matches(code, known_countries(), n=3)
        meant = f"; near: {', '.join(near)}" if near else ""
        raise UsageError(
            f"the country code {country!r} is not in CodeCarbon's table{meant}",
            hint="use an ISO 3166 alpha-3 code such as USA, DEU or FRA, or --intensity",
        )
    return stated(found.value_g_per_kwh, CARBON_UNIT, Basis.QUOTED, found.source)


def _pue(pue: float | None) -> Estimate:
    if pue is None:
        return stated(1.0, "", Basis.ASSUMED, "no overhead assumed; give the site's with --pue")
    if not 1.0 <= pue < 10:
        raise UsageError(
            f"a PUE of {pue} is not possible", hint="it is total over IT power, such as --pue 1.2"
        )
    return stated(pue, "", Basis.QUOTED, "given by --pue")
