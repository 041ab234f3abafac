"""Where the cloth meets itself: points near triangles, found by a spatial hash; compiled, one thread, one order."""

import numpy as np
from numpy.typing import NDArray

from blender.kernel import kernel

Ring = tuple[NDArray[np.int32], NDArray[np.int32]]


def rings(faces: NDArray[np.int32], count: int) -> Ring:
    """Return all vertices' neighbours as one list: where each vertex's part starts, (count + 1,), and the list."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    starts = np.searchsorted(pairs[:, 0], np.arange(count + 1))
    return starts.astype(np.int32), np.ascontiguousarray(pairs[:, 1]).astype(np.int32)


@kernel
def closest(x, i, i0, i1, i2, found):  # type: ignore[no-untyped-def]  # compiled
    """Write the barycentric weights of the triangle's point nearest to vertex ``i`` into ``found`` (3,)."""
    abx, aby, abz = x[i1, 0] - x[i0, 0], x[i1, 1] - x[i0, 1], x[i1, 2] - x[i0, 2]
    acx, acy, acz = x[i2, 0] - x[i0, 0], x[i2, 1] - x[i0, 1], x[i2, 2] - x[i0, 2]
    apx, apy, apz = x[i, 0] - x[i0, 0], x[i, 1] - x[i0, 1], x[i, 2] - x[i0, 2]
    d1, d2 = abx * apx + aby * apy + abz * apz, acx * apx + acy * apy + acz * apz
    if d1 <= 0.0 and d2 <= 0.0:
        found[0], found[1], found[2] = 1.0, 0.0, 0.0
        return
    bpx, bpy, bpz = x[i, 0] - x[i1, 0], x[i, 1] - x[i1, 1], x[i, 2] - x[i1, 2]
    d3, d4 = abx * bpx + aby * bpy + abz * bpz, acx * bpx + acy * bpy + acz * bpz
    if d3 >= 0.0 and d4 <= d3:
        found[0], found[1], found[2] = 0.0, 1.0, 0.0
        return
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v = d1 / (d1 - d3)
        found[0], found[1], found[2] = 1.0 - v, v, 0.0
        return
    cpx, cpy, cpz = x[i, 0] - x[i2, 0], x[i, 1] - x[i2, 1], x[i, 2] - x[i2, 2]
    d5, d6 = abx * cpx + aby * cpy + abz * cpz, acx * cpx + acy * cpy + acz * cpz
    if d6 >= 0.0 and d5 <= d6:
        found[0], found[1], found[2] = 0.0, 0.0, 1.0
        return
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        w = d2 / (d2 - d6)
        found[0], found[1], found[2] = 1.0 - w, 0.0, w
        return
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        found[0], found[1], found[2] = 0.0, 1.0 - w, w
        return
    total = va + vb + vc
    found[0], found[1], found[2] = va / total, vb / total, vc / total


@kernel
def _beside(i, a, starts, others):  # type: ignore[no-untyped-def]  # compiled
    for k in range(starts[a], starts[a + 1]):
        if others[k] == i:
            return True
    return i == a


@kernel
def find_near(x, faces, starts, others, reach, cell, heads, nexts, pairs, sides):  # type: ignore[no-untyped-def]
    """List (vertex, triangle) pairs nearer than ``reach`` that are no neighbours on the cloth.

    ``pairs`` (limit, 2) and ``sides`` (limit,) are filled; ``sides`` says on which side of the triangle the vertex is.
    ``heads`` and ``nexts`` are room for the hash of vertices. Returns the number of pairs.
    """
    size, limit = heads.shape[0], pairs.shape[0]
    heads[:] = -1
    for i in range(x.shape[0]):
        a, b, c = int(np.floor(x[i, 0] / cell)), int(np.floor(x[i, 1] / cell)), int(np.floor(x[i, 2] / cell))
        key = ((a * 73856093) ^ (b * 19349663) ^ (c * 83492791)) % size
        nexts[i] = heads[key]
        heads[key] = i
    count = 0
    found = np.empty(3)
    low, high = np.empty(3), np.empty(3)
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        for k in range(3):
            low[k] = min(x[i0, k], x[i1, k], x[i2, k]) - reach
            high[k] = max(x[i0, k], x[i1, k], x[i2, k]) + reach
            first[k], last[k] = int(np.floor(low[k] / cell)), int(np.floor(high[k] / cell))
        for a in range(first[0], last[0] + 1):
            for b in range(first[1], last[1] + 1):
                for c in range(first[2], last[2] + 1):
                    i = heads[((a * 73856093) ^ (b * 19349663) ^ (c * 83492791)) % size]
                    while i >= 0:
                        px, py, pz = x[i, 0], x[i, 1], x[i, 2]
                        here = (
                            low[0] < px < high[0] and low[1] < py < high[1] and low[2] < pz < high[2]
                            and int(np.floor(px / cell)) == a and int(np.floor(py / cell)) == b
                            and int(np.floor(pz / cell)) == c
                        )  # fmt: skip
                        if (
                            here
                            and count < limit
                            and not _beside(i, i0, starts, others)
                            and not _beside(i, i1, starts, others)
                            and not _beside(i, i2, starts, others)
                        ):
                            closest(x, i, i0, i1, i2, found)
                            dx = px - found[0] * x[i0, 0] - found[1] * x[i1, 0] - found[2] * x[i2, 0]
                            dy = py - found[0] * x[i0, 1] - found[1] * x[i1, 1] - found[2] * x[i2, 1]
                            dz = pz - found[0] * x[i0, 2] - found[1] * x[i1, 2] - found[2] * x[i2, 2]
                            if dx * dx + dy * dy + dz * dz < reach * reach:
                                nx, ny, nz = normal(x, i0, i1, i2)
                                pairs[count, 0], pairs[count, 1] = i, f
                                sides[count] = 1.0 if dx * nx + dy * ny + dz * nz >= 0 else -1.0
                                count += 1
                        i = nexts[i]
    return count


@kernel
def normal(x, i0, i1, i2):  # type: ignore[no-untyped-def]  # compiled
    """Return a triangle's unit normal."""
    ax, ay, az = x[i1, 0] - x[i0, 0], x[i1, 1] - x[i0, 1], x[i1, 2] - x[i0, 2]
    bx, by, bz = x[i2, 0] - x[i0, 0], x[i2, 1] - x[i0, 1], x[i2, 2] - x[i0, 2]
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    return nx / length, ny / length, nz / length


@kernel
def part(x, inverse_mass, faces, pairs, sides, count, gap, before, friction):  # type: ignore[no-untyped-def]
    """Push the listed pairs ``gap`` apart, in place, and let what touches drag on what it touches."""
    found = np.empty(3)
    for q in range(count):
        i, f = pairs[q, 0], pairs[q, 1]
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        closest(x, i, i0, i1, i2, found)
        u, v, w = found[0], found[1], found[2]
        dx = x[i, 0] - u * x[i0, 0] - v * x[i1, 0] - w * x[i2, 0]
        dy = x[i, 1] - u * x[i0, 1] - v * x[i1, 1] - w * x[i2, 1]
        dz = x[i, 2] - u * x[i0, 2] - v * x[i1, 2] - w * x[i2, 2]
        if u > 0.0 and v > 0.0 and w > 0.0:
            nx, ny, nz = normal(x, i0, i1, i2)
            nx, ny, nz = nx * sides[q], ny * sides[q], nz * sides[q]
            d = dx * nx + dy * ny + dz * nz
        else:
            d = np.sqrt(dx * dx + dy * dy + dz * dz)
            if d < 1e-9:
                continue
            nx, ny, nz = dx / d, dy / d, dz / d
        depth = gap - d
        if depth <= 0.0:
            continue
        wi, w0, w1, w2 = inverse_mass[i], inverse_mass[i0], inverse_mass[i1], inverse_mass[i2]
        push = 0.6 * depth / (wi + u * u * w0 + v * v * w1 + w * w * w2)
        mx = x[i, 0] - before[i, 0]
        my = x[i, 1] - before[i, 1]
        mz = x[i, 2] - before[i, 2]
        mx -= u * (x[i0, 0] - before[i0, 0]) + v * (x[i1, 0] - before[i1, 0]) + w * (x[i2, 0] - before[i2, 0])
        my -= u * (x[i0, 1] - before[i0, 1]) + v * (x[i1, 1] - before[i1, 1]) + w * (x[i2, 1] - before[i2, 1])
        mz -= u * (x[i0, 2] - before[i0, 2]) + v * (x[i1, 2] - before[i1, 2]) + w * (x[i2, 2] - before[i2, 2])
        along = mx * nx + my * ny + mz * nz
        mx, my, mz = mx - along * nx, my - along * ny, mz - along * nz
        slide = np.sqrt(mx * mx + my * my + mz * mz) + 1e-12
        hold = 0.5 * min(1.0, friction * depth / slide) / (wi + u * u * w0 + v * v * w1 + w * w * w2)
        px, py, pz = push * nx - hold * mx, push * ny - hold * my, push * nz - hold * mz
        x[i, 0] += wi * px
        x[i, 1] += wi * py
        x[i, 2] += wi * pz
        x[i0, 0] -= w0 * u * px
        x[i0, 1] -= w0 * u * py
        x[i0, 2] -= w0 * u * pz
        x[i1, 0] -= w1 * v * px
        x[i1, 1] -= w1 * v * py
        x[i1, 2] -= w1 * v * pz
        x[i2, 0] -= w2 * w * px
        x[i2, 1] -= w2 * w * py
        x[i2, 2] -= w2 * w * pz
