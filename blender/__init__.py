"""Everything about Blender: the garment, the scene, the views, the warm session and the film.

Importing this package never loads ``bpy``; only functions of :mod:`blender.session` and its siblings do.
"""
