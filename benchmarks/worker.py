"""One library in one process: reads cases from standard input, writes seconds per execution to standard output.

Started by compare.py as ``python -m benchmarks.worker pydl 2``.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time


def measure(namespace: dict[str, object], statement: str, seconds: float) -> dict[str, float]:
    """The median time of one execution over samples of about ``seconds`` altogether, and its page faults."""
    code = compile(f"def run(n):\n    for _ in range(n):\n        {statement}\n", "<case>", "exec")
    exec(code, namespace)
    run = namespace["run"]
    n = 1
    while True:  # calibrate: one sample takes at least 2 ms
        start = time.perf_counter()
        run(n)  # type: ignore[operator]
        if (elapsed := time.perf_counter() - start) > 2e-3 or n > 1 << 20:
            break
        n *= 2 if elapsed > 1e-4 else 16
    samples = []
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    count = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        run(n)  # type: ignore[operator]
        samples.append((time.perf_counter() - start) / n)
        count += n
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    samples.sort()
    return {"median": samples[len(samples) // 2], "faults": faults / count}


def main() -> None:
    """Answer one JSON line for each JSON line."""
    library = importlib.import_module(sys.argv[1])
    library.set_num_threads(int(sys.argv[2]))
    if sys.argv[1] == "torch":
        library.nn  # noqa: B018 - what is loaded lazily is loaded before the clock starts
    namespaces: dict[str, dict[str, object]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        namespace = namespaces.get(request["setup"])
        if namespace is None:
            namespaces.clear()
            namespace = namespaces[request["setup"]] = {"torch": library}
            library.manual_seed(0)
            library.set_grad_enabled(True)
            exec(request["setup"], namespace)
        print(json.dumps(measure(namespace, request["statement"], request["seconds"])), flush=True)


if __name__ == "__main__":
    main()
