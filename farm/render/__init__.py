"""Rendering a product, on top of the generic saga engine: ports, the seven steps, the two sagas, the service."""
