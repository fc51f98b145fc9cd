"""How training photos are changed at random."""

from pydantic import Field, JsonValue

from ml.config_rules import Probability, Strict

DEGREES: dict[str, JsonValue] = {"unit": "degrees"}
TIMES: dict[str, JsonValue] = {"unit": "times"}
SHARE: dict[str, JsonValue] = {"unit": "as a share"}


class Augment(Strict):
    """Random changes of each training photo. Degrees for rotation; the rest are fractions."""

    flip: bool = Field(True, description="mirror every other photo at random, left to right")
    max_rotate: float = Field(
        10.0, ge=0, le=180, description="turn a photo by up to so much, to either side", json_schema_extra=DEGREES
    )
    max_zoom: float = Field(
        1.1, ge=1, le=4, description="enlarge a photo by up to this factor", json_schema_extra=TIMES
    )
    max_lighting: float = Field(
        0.2, ge=0, lt=1, description="change brightness and contrast by up to this share", json_schema_extra=SHARE
    )
    max_warp: float = Field(
        0.2,
        ge=0,
        lt=0.5,
        description="tilt a photo as if seen from the side, by up to this share",
        json_schema_extra=SHARE,
    )
    p_affine: Probability = Field(
        0.75, description="chance that a photo is turned; the same for zoom and for tilt", json_schema_extra=SHARE
    )
    p_lighting: Probability = Field(
        0.75, description="chance that a photo changes its brightness; the same for contrast", json_schema_extra=SHARE
    )
