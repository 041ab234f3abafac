"""The compiled inner loop of the cloth: one thread, one order of operations, so that every run is the same run.

Extended position-based dynamics with small steps and one pass per step (Macklin et al., "Small Steps in Physics
Simulation", 2019); stretch and shear per triangle as in Mueller et al., "Strain Based Dynamics", 2014; bending as in
Bergou et al., "A Quadratic Bending Model for Inextensible Surfaces", 2006.
"""

import numpy as np

from blender.contact import find_near, part
from blender.kernel import kernel

LOOK_EVERY = 8
"""Steps between two searches for touching cloth."""
SMOOTH_REACH_CM = 12.0
"""How far off the body cloth is still smoothed down."""
SLIPPERY = 10.0
"""How much more freely cloth moves along the body for every weight with which it is smoothed: a hand moves it."""


@kernel
def _sample(grid, origin, spacing, px, py, pz):  # type: ignore[no-untyped-def]  # compiled
    """Trilinear distance and its gradient; far outside the grid counts as free space."""
    fx, fy, fz = (px - origin[0]) / spacing, (py - origin[1]) / spacing, (pz - origin[2]) / spacing
    nx, ny, nz = grid.shape
    if fx < 0 or fy < 0 or fz < 0 or fx >= nx - 1 or fy >= ny - 1 or fz >= nz - 1:
        return 1e3, 0.0, 0.0, 1.0
    i, j, k = int(fx), int(fy), int(fz)
    u, v, w = fx - i, fy - j, fz - k
    c000, c100 = grid[i, j, k], grid[i + 1, j, k]
    c010, c110 = grid[i, j + 1, k], grid[i + 1, j + 1, k]
    c001, c101 = grid[i, j, k + 1], grid[i + 1, j, k + 1]
    c011, c111 = grid[i, j + 1, k + 1], grid[i + 1, j + 1, k + 1]
    a00, a10 = c000 + (c100 - c000) * u, c010 + (c110 - c010) * u
    a01, a11 = c001 + (c101 - c001) * u, c011 + (c111 - c011) * u
    b0, b1 = a00 + (a10 - a00) * v, a01 + (a11 - a01) * v
    d = b0 + (b1 - b0) * w
    gx = ((c100 - c000) * (1 - v) + (c110 - c010) * v) * (1 - w) + ((c101 - c001) * (1 - v) + (c111 - c011) * v) * w
    gy = (a10 - a00) * (1 - w) + (a11 - a01) * w
    gz = b1 - b0
    norm = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-12
    return d, gx / norm, gy / norm, gz / norm


@kernel
def _stretch(x, inverse_mass, faces, inverse_rest, area, stretch, shear, dt):  # type: ignore[no-untyped-def]
    """Stretch along both grains, then shear, triangle by triangle."""
    g = np.empty((3, 3))
    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        w0, w1, w2 = inverse_mass[i0], inverse_mass[i1], inverse_mass[i2]
        for axis in range(2):
            a, b = inverse_rest[f, axis], inverse_rest[f, 2 + axis]
            ux = (x[i1, 0] - x[i0, 0]) * a + (x[i2, 0] - x[i0, 0]) * b
            uy = (x[i1, 1] - x[i0, 1]) * a + (x[i2, 1] - x[i0, 1]) * b
            uz = (x[i1, 2] - x[i0, 2]) * a + (x[i2, 2] - x[i0, 2]) * b
            norm = np.sqrt(ux * ux + uy * uy + uz * uz) + 1e-12
            ux, uy, uz = ux / norm, uy / norm, uz / norm
            total = w0 * (a + b) ** 2 + w1 * a * a + w2 * b * b + 1.0 / (stretch[f] * area[f] * dt * dt)
            lam = -(norm - 1.0) / total
            for k in range(3):
                n = ux if k == 0 else (uy if k == 1 else uz)
                x[i0, k] -= w0 * lam * (a + b) * n
                x[i1, k] += w1 * lam * a * n
                x[i2, k] += w2 * lam * b * n
        a, b, c, d = inverse_rest[f, 0], inverse_rest[f, 2], inverse_rest[f, 1], inverse_rest[f, 3]
        dot = 0.0
        for k in range(3):
            e1, e2 = x[i1, k] - x[i0, k], x[i2, k] - x[i0, k]
            fu, fv = e1 * a + e2 * b, e1 * c + e2 * d
            dot += fu * fv
            g[1, k] = a * fv + c * fu
            g[2, k] = b * fv + d * fu
            g[0, k] = -g[1, k] - g[2, k]
        total = 1.0 / (shear[f] * area[f] * dt * dt)
        for k in range(3):
            total += w0 * g[0, k] ** 2 + w1 * g[1, k] ** 2 + w2 * g[2, k] ** 2
        lam = -dot / total
        for k in range(3):
            x[i0, k] += w0 * lam * g[0, k]
            x[i1, k] += w1 * lam * g[1, k]
            x[i2, k] += w2 * lam * g[2, k]


@kernel
def _bend(x, inverse_mass, bends, weights, stiffness, dt):  # type: ignore[no-untyped-def]  # compiled
    for e in range(bends.shape[0]):
        cx, cy, cz, total = 0.0, 0.0, 0.0, 0.0
        for m in range(4):
            p, w = bends[e, m], weights[e, m]
            cx += w * x[p, 0]
            cy += w * x[p, 1]
            cz += w * x[p, 2]
            total += inverse_mass[p] * w * w
        total += weights[e, 4] / (3.0 * stiffness[e] * dt * dt)
        for m in range(4):
            p = bends[e, m]
            scale = inverse_mass[p] * weights[e, m] / total
            x[p, 0] -= scale * cx
            x[p, 1] -= scale * cy
            x[p, 2] -= scale * cz


@kernel
def _rest_on(x, before, grid, later, share, origin, spacing, thickness, friction, smoothed):  # type: ignore[no-untyped-def]
    """Keep every vertex ``thickness`` away from the body; what presses on it is held back.

    The body is ``share`` of the way from ``grid`` to ``later``, distances mixed: right for small moves.
    """
    for i in range(x.shape[0]):
        d, nx, ny, nz = _sample(later, origin, spacing, x[i, 0], x[i, 1], x[i, 2])
        if share < 1.0:
            d0, nx0, ny0, nz0 = _sample(grid, origin, spacing, x[i, 0], x[i, 1], x[i, 2])
            d = d0 + (d - d0) * share
            nx, ny, nz = nx0 + (nx - nx0) * share, ny0 + (ny - ny0) * share, nz0 + (nz - nz0) * share
            norm = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
            nx, ny, nz = nx / norm, ny / norm, nz / norm
        depth = thickness - d
        if depth > 0.0:
            x[i, 0] += nx * depth
            x[i, 1] += ny * depth
            x[i, 2] += nz * depth
            mx, my, mz = x[i, 0] - before[i, 0], x[i, 1] - before[i, 1], x[i, 2] - before[i, 2]
            along = mx * nx + my * ny + mz * nz
            mx, my, mz = mx - along * nx, my - along * ny, mz - along * nz
            slide = np.sqrt(mx * mx + my * my + mz * mz) + 1e-12
            hold = min(1.0, friction / (1.0 + SLIPPERY * smoothed[i]) * depth / slide)
            x[i, 0] -= mx * hold
            x[i, 1] -= my * hold
            x[i, 2] -= mz * hold


@kernel
def advance(  # type: ignore[no-untyped-def]  # compiled
    x, v, inverse_mass, faces, inverse_rest, area, stretch, shear, bends, bend_weights, bend_stiffness,
    starts, others, grid, later, moving, origin, spacing, clearance, friction, steps, dt, gravity_0, gravity_1, lean,
    smoothed, shrink_0, shrink_1, damping, speed_limit, gap, cell,
):  # fmt: skip
    """Move the cloth on by ``steps`` time steps, in place.

    ``x`` and ``v`` are (V, 3) in cm and cm/s; ``faces`` (M, 3) with ``inverse_rest`` (M, 4) the inverse of the flat
    triangle's edge matrix; ``bends`` and ``bend_weights`` as :func:`blender.drape.bend_stencils` returns them;
    ``starts`` and ``others`` as :func:`blender.contact.rings`; ``grid``, ``origin`` and ``spacing`` a
    :class:`blender.body.Body`, which, when ``moving``, becomes ``later`` meanwhile; the pairs of gravity (cm/s^2) and
    shrink (cm) are the values before the first and at the last step; gravity points ``lean`` radians behind the
    wearer's feet, and ``smoothed`` (V,) of it also toward the body. Layers of cloth keep ``gap`` cm apart; 0 lets them
    pass. ``cell`` is the side of the hash's cells.
    """
    count = x.shape[0]
    before = x.copy()
    keep = np.exp(-damping * dt)
    pull_back, pull_down = np.sin(lean), np.cos(lean)
    heads, nexts = np.empty(1 << 16, np.int64), np.empty(count, np.int64)
    pairs, sides = np.empty((30 * count, 2), np.int64), np.empty(30 * count)
    near = 0
    for step in range(steps):
        t = (step + 1) / steps
        gravity = gravity_0 + (gravity_1 - gravity_0) * t
        shrink = shrink_0 + (shrink_1 - shrink_0) * t
        for i in range(count):
            if smoothed[i] > 0.0:
                d, nx, ny, nz = _sample(later, origin, spacing, x[i, 0], x[i, 1], x[i, 2])
                if d < SMOOTH_REACH_CM:
                    v[i, 0] -= nx * smoothed[i] * gravity * dt
                    v[i, 1] -= ny * smoothed[i] * gravity * dt
                    v[i, 2] -= nz * smoothed[i] * gravity * dt
            v[i, 1] += gravity * pull_back * dt
            v[i, 2] -= gravity * pull_down * dt
            speed = np.sqrt(v[i, 0] ** 2 + v[i, 1] ** 2 + v[i, 2] ** 2)
            scale = keep if speed * keep <= speed_limit else speed_limit / speed
            for k in range(3):
                v[i, k] *= scale
                before[i, k] = x[i, k]
                x[i, k] += v[i, k] * dt
        _stretch(x, inverse_mass, faces, inverse_rest, area, stretch, shear, dt)
        _bend(x, inverse_mass, bends, bend_weights, bend_stiffness, dt)
        if gap > 0.0:
            if step % LOOK_EVERY == 0:
                near = find_near(x, faces, starts, others, 1.6 * gap, cell, heads, nexts, pairs, sides)
            part(x, inverse_mass, faces, pairs, sides, near, gap, before, friction)
        _rest_on(x, before, grid, later, t if moving else 1.0, origin, spacing, clearance - shrink, friction, smoothed)
        for i in range(count):
            for k in range(3):
                v[i, k] = (x[i, k] - before[i, k]) / dt
