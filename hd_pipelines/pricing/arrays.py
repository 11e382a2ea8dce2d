"""Converts and broadcasts arguments of the public pricing functions, and spreads a loop over cores. Contains no formula.

Arguments are numbers, NumPy arrays, Polars series or sequences of numbers; None and NaN mean missing. They broadcast as in
NumPy. Text is refused even if it could be read as a number, and a flag must be a boolean (or 0 and 1): "C" or -1 mistaken
for a put gives a wrong price that looks right.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SHARE = 16_384
"""Number of options of a European loop that justify another thread: about a millisecond of work."""

_CHUNKS_PER_THREAD = 4


def broadcast(
    numbers: dict[str, ArrayLike], is_call: ArrayLike
) -> tuple[tuple[int, ...], tuple[Floats, ...], NDArray[np.bool_]]:
    """Broadcast all arguments: returns (common shape, flat arrays in order, flat flags).

    An argument of one value stays one value, which the kernels repeat. Raises TypeError for text, dates or flags that are
    not booleans, and ValueError for shapes that do not fit together.
    """
    arrays = {name: _to_floats(name, given) for name, given in numbers.items()}
    flags = to_flags(is_call)
    shapes = {name: array.shape for name, array in arrays.items()} | {"is_call": flags.shape}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError as error:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"arguments do not broadcast together: {listed}") from error
    return shape, tuple(_flatten(array, shape) for array in arrays.values()), _flatten(flags, shape)


def _to_floats(name: str, given: ArrayLike) -> Floats:
    array = np.asarray(given)
    if array.dtype.kind == "O":
        if any(isinstance(item, str | bytes) for item in array.ravel()):
            raise TypeError(f"{name} holds text; give numbers")
    elif array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold numbers, not {array.dtype}")
    try:
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers: {error}") from error


def to_flags(is_call: ArrayLike) -> NDArray[np.bool_]:
    """Convert to booleans, True for calls. Accepts booleans, or the numbers 0 and 1; raises TypeError for anything else."""
    flags = np.asarray(is_call)
    if flags.dtype.kind == "b":
        return flags
    if flags.dtype.kind in "iu" and bool(np.isin(flags, (0, 1)).all()):
        return flags.astype(np.bool_)
    if flags.dtype.kind == "O" and all(isinstance(item, bool | np.bool_) for item in flags.ravel()):
        return flags.astype(np.bool_)
    raise TypeError(
        f"is_call must be True for calls and False for puts, nothing else; got {flags.dtype} {_describe_values(flags)}"
    )


def _describe_values(flags: NDArray[Any]) -> str:
    return ", ".join(repr(item) for item in flags.ravel()[:3].tolist())


def _flatten(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Make `array` one-dimensional, contiguous and read-only, as the kernels are compiled for."""
    one = array.size == 1 and math.prod(shape) != 0
    flat = np.ascontiguousarray(array if one else np.broadcast_to(array, shape)).reshape(-1).view()
    flat.flags.writeable = False
    return flat


def run_over_cores(loop: Callable[[int, int], None], options: int, share: int = SHARE) -> None:
    """Call `loop(first, last)` for all of `options`, on at most one thread per core and per `share` of work.

    The threads end with the call, so nothing has to survive a fork. The first error of a thread is raised.
    """
    threads = min(_count_cores(), options // share)
    if threads < 2:
        if options:
            loop(0, options)
        return
    step = -(-options // (threads * _CHUNKS_PER_THREAD))
    starts = iter(range(0, options, step))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for first in _take_starts(starts):
                loop(first, min(first + step, options))
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for other in others:
        other.start()
    work()
    for other in others:
        other.join()
    if errors:
        raise errors[0]


def _take_starts(starts: Iterator[int]) -> Iterator[int]:
    while (first := next(starts, None)) is not None:
        yield first


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
