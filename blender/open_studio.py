"""The studio that fits a template's kind."""

from blender.studio import Studio
from blender.template import Kind, Template


def open_studio(template: Template) -> Studio:
    """Fill the process's only scene from a template.

    Raises:
        ProtocolError: The template's files are not what its kind needs.
    """
    # Each kind imports what it needs alone.
    if template.kind is Kind.BLEND:
        from blender.blend.studio import BlendStudio

        return BlendStudio(template)
    from blender.sewn_studio import SewnStudio

    return SewnStudio(template)
