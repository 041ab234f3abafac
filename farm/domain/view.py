"""A view: one camera angle of a job."""

from enum import StrEnum


class View(StrEnum):
    """The six camera angles, in the order in which they are listed everywhere.

    The azimuth is in degrees counter-clockwise seen from above, 0 in front of the wearer; sides are the wearer's.
    """

    FRONT = "front_0deg"
    LEFT = "left_90deg"
    RIGHT = "right_270deg"
    BACK = "back_180deg"
    FRONT_LEFT = "front_45deg_left"
    FRONT_RIGHT = "front_45deg_right"

    @property
    def azimuth_deg(self) -> int:
        return _AZIMUTH_DEG[self]


_AZIMUTH_DEG = {
    View.FRONT: 0,
    View.LEFT: 90,
    View.RIGHT: 270,
    View.BACK: 180,
    View.FRONT_LEFT: 45,
    View.FRONT_RIGHT: 315,
}

ALL_VIEWS: tuple[View, ...] = tuple(View)
THUMBNAIL = View.FRONT
