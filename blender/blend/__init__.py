"""A shop's own ``.blend`` as a garment, by convention: named cameras, one image node, texture coordinates."""
