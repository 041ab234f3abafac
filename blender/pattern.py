"""The sewing pattern of a tee: flat outlines in centimetres, and nothing else.

Panel coordinates: origin in the middle of the panel's collar seam (sleeves: middle of the cap's top), x to the
viewer's right with the panel laid flat and seen from outside, y down. Every panel is symmetric in x, so only the
half with x >= 0 is drawn here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tee:
    """Measures of a tee with a round neck, seam to seam; the defaults are a crew-neck tee in garment size M.

    Attributes:
        neck_width_cm: Between the high points of the two shoulders.
        front_drop_cm: From the high point of the shoulder down to the front collar seam.
        back_drop_cm: The same at the back.
        shoulder_width_cm: Between the two sleeve seams.
        shoulder_drop_cm: From the high point of the shoulder down to the sleeve seam.
        armhole_depth_cm: From the high point of the shoulder down to the underarm.
        chest_width_cm: Underarm to underarm, laid flat.
        waist_width_cm: Width at the waist, laid flat; 0 = straight side seams.
        waist_depth_cm: From the high point of the shoulder down to the waist.
        hem_width_cm: Width of the hem, laid flat.
        hem_dip_cm: How much lower the hem is in the middle than at the side seams.
        length_cm: From the high point of the shoulder to the hem.
        bicep_width_cm: Width of the flat, opened sleeve at the underarm.
        sleeve_opening_cm: Width of the flat, opened sleeve at its hem.
        sleeve_length_cm: From the cap's top to the sleeve's hem.
        rib_width_cm: Finished width of the collar rib.
        rib_ratio: Length of the rib in neckline lengths; below 1 it pulls the neckline in.
    """

    neck_width_cm: float = 18.5
    front_drop_cm: float = 10.5
    back_drop_cm: float = 2.2
    shoulder_width_cm: float = 45.0
    shoulder_drop_cm: float = 4.6
    armhole_depth_cm: float = 25.0
    chest_width_cm: float = 52.0
    waist_width_cm: float = 0.0
    waist_depth_cm: float = 44.0
    hem_width_cm: float = 52.0
    hem_dip_cm: float = 0.0
    length_cm: float = 71.0
    bicep_width_cm: float = 38.0
    sleeve_opening_cm: float = 34.0
    sleeve_length_cm: float = 21.5
    rib_width_cm: float = 2.0
    rib_ratio: float = 0.86


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfPanel:
    """The x >= 0 half of a panel, as named edges that follow one another clockwise seen from outside.

    Attributes:
        name: Panel, or ``sleeve`` for both sleeves.
        edges: Name to (N, 2) polyline in cm; each ends where the next begins, the last one on the centre line.
            The centre line itself, from the last edge's end back to the first one's start, is not listed.
    """

    name: str
    edges: Mapping[str, Points]

    def outline_cm(self) -> Points:
        """Return the whole panel's closed outline, (N, 2), without repeating the first point."""
        half = np.concatenate([edge[:-1] for edge in self.edges.values()] + [list(self.edges.values())[-1][-1:]])
        return np.concatenate([half, (half * (-1.0, 1.0))[-2:0:-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """All panels of one garment.

    Attributes:
        measures: What it was drafted from.
        front: Half of the front.
        back: Half of the back.
        sleeve: Half of either sleeve.
        rib_length_cm: Length of the flat collar rib, from centre back to centre back.
        cap_height_cm: Height of the sleeve cap that was solved for.
    """

    measures: Tee
    front: HalfPanel
    back: HalfPanel
    sleeve: HalfPanel
    rib_length_cm: float
    cap_height_cm: float


def bezier(p0: Points, p1: Points, p2: Points, p3: Points, *, count: int = 257) -> Points:
    """Return ``count`` points of a cubic Bezier curve, (count, 2), evenly spaced in the parameter."""
    t = np.linspace(0.0, 1.0, count)[:, None]
    s = 1.0 - t
    return s**3 * p0 + 3 * s**2 * t * p1 + 3 * s * t**2 * p2 + t**3 * p3


def length_cm(polyline: Points) -> float:
    """Return the length of an (N, 2) polyline."""
    return float(np.hypot(*np.diff(polyline, axis=0).T).sum())


def resample(polyline: Points, segments: int) -> Points:
    """Return ``segments + 1`` points evenly spaced by arc length; both ends are kept exactly."""
    steps = np.hypot(*np.diff(polyline, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, along[-1], segments + 1)
    points = np.stack([np.interp(wanted, along, polyline[:, axis]) for axis in (0, 1)], axis=1)
    points[0], points[-1] = polyline[0], polyline[-1]
    return points


def _curve(*points: tuple[float, float]) -> Points:
    p0, p1, p2, p3 = (np.array(point) for point in points)
    return bezier(p0, p1, p2, p3)


def _line(start: tuple[float, float], end: tuple[float, float]) -> Points:
    return np.array([start, end], dtype=np.float64)


def _body_half(name: str, measures: Tee, drop_cm: float) -> HalfPanel:
    """Draft half of the front or the back; they differ in the neckline only, so that every seam matches."""
    m = measures
    neck, shoulder = m.neck_width_cm / 2, m.shoulder_width_cm / 2
    chest, hem = m.chest_width_cm / 2, m.hem_width_cm / 2
    rise = m.armhole_depth_cm - m.shoulder_drop_cm
    scoop = shoulder - 0.085 * rise
    edges = {
        "neck": _curve((0.0, drop_cm), (0.60 * neck, drop_cm), (0.97 * neck, 0.62 * drop_cm), (neck, 0.0)),
        "shoulder": _line((neck, 0.0), (shoulder, m.shoulder_drop_cm)),
        "armhole": _curve(
            (shoulder, m.shoulder_drop_cm),
            (scoop, m.shoulder_drop_cm + 0.46 * rise),
            (scoop + 0.2, m.armhole_depth_cm - 0.3),
            (chest, m.armhole_depth_cm),
        ),
        "side": _side(m),
        "hem": _curve(
            (hem, m.length_cm - m.hem_dip_cm),
            (0.65 * hem, m.length_cm - 0.7 * m.hem_dip_cm),
            (0.35 * hem, m.length_cm),
            (0.0, m.length_cm),
        ),
    }
    return HalfPanel(name=name, edges={key: edge - (0.0, drop_cm) for key, edge in edges.items()})


def _side(measures: Tee) -> Points:
    """Draft the side seam, straight or taken in at the waist."""
    m = measures
    chest, waist, hem = m.chest_width_cm / 2, m.waist_width_cm / 2, m.hem_width_cm / 2
    end_cm = m.length_cm - m.hem_dip_cm
    if not waist:
        return _line((chest, m.armhole_depth_cm), (hem, end_cm))
    above, below = m.waist_depth_cm - m.armhole_depth_cm, end_cm - m.waist_depth_cm
    upper = _curve(
        (chest, m.armhole_depth_cm),
        (chest - 0.35 * (chest - waist), m.armhole_depth_cm + above / 3),
        (waist, m.waist_depth_cm - above / 3),
        (waist, m.waist_depth_cm),
    )
    lower = _curve(
        (waist, m.waist_depth_cm),
        (waist, m.waist_depth_cm + below / 3),
        (hem - 0.35 * (hem - waist), end_cm - below / 3),
        (hem, end_cm),
    )
    return np.concatenate([upper, lower[1:]])


def _cap(measures: Tee, height_cm: float) -> Points:
    half = measures.bicep_width_cm / 2
    return _curve((0.0, 0.0), (0.46 * half, 0.0), (0.52 * half, 0.97 * height_cm), (half, height_cm))


def solve_cap_height_cm(measures: Tee, armhole_cm: float) -> float:
    """Return the height at which half the sleeve cap is as long as one armhole, by bisection.

    Raises:
        ValueError: No cap of a wearable height fits: the sleeve is too wide or far too narrow.
    """
    low, high = 0.5, measures.sleeve_length_cm - 3.0
    if not length_cm(_cap(measures, low)) < armhole_cm < length_cm(_cap(measures, high)):
        raise ValueError(f"no sleeve cap {measures.bicep_width_cm} cm wide fits an armhole of {armhole_cm:.1f} cm")
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if length_cm(_cap(measures, middle)) < armhole_cm else (low, middle)
    return (low + high) / 2


def draft(measures: Tee) -> Pattern:
    """Draft the pattern.

    Raises:
        ValueError: The measures contradict one another.
    """
    if not measures.neck_width_cm < measures.shoulder_width_cm < measures.chest_width_cm + 2:
        raise ValueError("neck, shoulder and chest widths must grow in that order")
    if measures.waist_width_cm and not measures.armhole_depth_cm + 5 < measures.waist_depth_cm < measures.length_cm - 5:
        raise ValueError("the waist must lie between underarm and hem")
    front = _body_half("front", measures, measures.front_drop_cm)
    back = _body_half("back", measures, measures.back_drop_cm)
    cap_height_cm = solve_cap_height_cm(measures, length_cm(front.edges["armhole"]))
    bicep, opening = measures.bicep_width_cm / 2, measures.sleeve_opening_cm / 2
    sleeve = HalfPanel(
        name="sleeve",
        edges={
            "cap": _cap(measures, cap_height_cm),
            "underarm": _line((bicep, cap_height_cm), (opening, measures.sleeve_length_cm)),
            "hem": _line((opening, measures.sleeve_length_cm), (0.0, measures.sleeve_length_cm)),
        },
    )
    neckline_cm = 2 * (length_cm(front.edges["neck"]) + length_cm(back.edges["neck"]))
    return Pattern(
        measures=measures,
        front=front,
        back=back,
        sleeve=sleeve,
        rib_length_cm=neckline_cm * measures.rib_ratio,
        cap_height_cm=cap_height_cm,
    )
