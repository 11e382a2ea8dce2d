"""`python -m hd_pipelines.pricing` compiles all kernels into numba's cache on disk, so that no later run waits for it.

The cache lies beside the sources, or where NUMBA_CACHE_DIR points. Once it is filled, this command only loads it.
"""

import sys
import time


def compile_kernels() -> str:
    """Compile or load every kernel. Returns the line to print."""
    started = time.perf_counter()
    from hd_pipelines.pricing.kernels import american_loops as kernels_american_loops
    from hd_pipelines.pricing.kernels import american_search as kernels_american_search
    from hd_pipelines.pricing.kernels import european_loops as kernels_loops

    kernels = (
        kernels_loops.value,
        kernels_loops.imply,
        kernels_loops.derive,
        kernels_american_loops.american_value,
        kernels_american_loops.american_derive,
        kernels_american_search.american_imply,
    )
    compiled = sum(bool(kernel.stats.cache_misses) for kernel in kernels)
    seconds = time.perf_counter() - started
    return f"pricing: {len(kernels)} kernels ready in {seconds:.1f} s, {compiled} of them compiled now"


if __name__ == "__main__":
    sys.stdout.write(compile_kernels() + "\n")
