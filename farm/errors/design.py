"""What is wrong with a design's file."""

from farm.errors.request import InvalidRequest


class BadDesign(InvalidRequest):
    """The design file cannot be used: {reason}."""

    code = "bad_design"
    hint = "Send a PNG or JPEG that an ordinary viewer opens."


class DesignNotAnImage(BadDesign):
    """The design is not a PNG or JPEG: {reason}."""

    code = "design_not_an_image"
    hint = "Export the design as PNG (best, keeps transparency) or JPEG."


class DesignTooLarge(BadDesign):
    """The design has {size_bytes} bytes, more than the {limit_bytes} allowed."""

    code = "design_too_large"
    hint = "Compress the file, or ask the operator to raise FARM_DESIGN_MAX_BYTES."


class DesignTooManyPixels(BadDesign):
    """The design is {width_px} x {height_px} pixels, more than the {limit_px} pixels allowed."""

    code = "design_too_many_pixels"
    hint = "Scale the design down: 3600 x 4800 pixels fill the print area at 300 DPI."


class DesignTruncated(BadDesign):
    """The design file is damaged or ends early: {reason}."""

    code = "design_truncated"
    hint = "Export the file again and upload the whole of it."


class DesignDecodeFailed(BadDesign):
    """Reading the design was stopped: {reason}."""

    code = "design_decode_failed"
    hint = "The file asks for more memory or time than a design needs; export it again as a plain PNG."


class DesignNotFound(BadDesign):
    """There is no design at {address}."""

    code = "design_not_found"
    hint = "Check the path or the address; relative ones are relative to the manifest."
