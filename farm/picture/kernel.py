"""Kernel: as `blender.kernel` has it."""

from blender.kernel import kernel

__all__ = ["kernel"]
