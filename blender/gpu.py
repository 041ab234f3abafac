"""Choosing one GPU of several, for a process that shares its node with others. Imports bpy inside functions."""


def use_only(kind: str, index: int) -> None:
    """Let Cycles render on one GPU alone.

    Args:
        kind: Cycles' name of the kind, such as ``OPTIX``.
        index: Its place among the GPUs of that kind.

    Raises:
        IndexError: There are fewer.
    """
    import bpy

    preferences = bpy.context.preferences.addons["cycles"].preferences
    devices = [device for device in preferences.get_devices_for_type(kind) if device.type == kind]
    if not 0 <= index < len(devices):
        raise IndexError(f"{kind} device {index} was assigned, but there are {len(devices)}")
    for place, device in enumerate(devices):
        device.use = place == index
