"""pydl against PyTorch: each case in turn in two processes, medians, ratios and the machine's limits.

``python -m benchmarks.compare [--threads 1,2] [--only TEXT] [--rounds 5] [--compiled] [--readme]``

The limits are measured in the same run: the copy bandwidth by NumPy here, the FMA peak and, beside each case that
reads a large tensor, the time of a bare read by the C++ benchmarks (``-DPYDL_BENCHMARKS=ON``) in the folder that
``--limits`` gives.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.cases_training import COMPILED_CASES


class Worker:
    """A process with one library loaded."""

    def __init__(self, library: str, threads: int) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", library, str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, case: Case, seconds: float) -> dict[str, float]:
        """One measurement of ``case``."""
        assert self.process.stdin and self.process.stdout
        request = {"setup": case.setup, "statement": case.statement, "seconds": seconds}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def copy_bandwidth(threads: int) -> float:
    """Bytes per second (read plus written) of copying 64 MiB, ``threads`` copies at once."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    n = (16 << 20) // threads
    pairs = [(np.ones(n, np.float32), np.ones(n, np.float32)) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(15):
            start = time.perf_counter()
            list(pool.map(lambda pair: np.copyto(*pair), pairs))
            best = max(best, 2 * 4 * n * threads / (time.perf_counter() - start))
    return best


class Limits:
    """What the machine can do with ``threads`` threads, as far as the C++ benchmarks are there to measure it."""

    def __init__(self, folder: str | None, threads: int) -> None:
        self.folder, self.threads = folder, threads
        self.bandwidth = copy_bandwidth(threads)
        #: single-precision FLOP/s of independent FMAs
        self.peak = self._measure("gemm_bench", "--peak", str(threads))

    def _measure(self, name: str, *args: str) -> float | None:
        if self.folder is None:
            return None
        command = [str(pathlib.Path(self.folder) / name), *args]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        match = re.search(r"([0-9.]+) G(FLOP|B)/s", text)
        return float(match.group(1)) * 1e9 if match else None

    def __str__(self) -> str:
        peak = f", FMA peak {self.peak / 1e9:.0f} GFLOP/s" if self.peak else ""
        return f"copy bandwidth {self.bandwidth / 1e9:.1f} GB/s{peak}"

    def column(self, case: Case, ours: float, theirs: float) -> str:
        """The result as a part of the machine's limit, where the case has one."""
        if case.flops and self.peak:
            return f"{case.flops / ours / self.peak:.0%} of FMA peak"
        rate = self._measure("read_bench", str(case.reads), str(self.threads)) if case.reads else None
        if rate:
            bare = case.reads / rate
            return f"{bare / ours:.0%} of a bare read, whose ratio is {theirs / bare:.2f}"
        if case.bytes:
            return f"{case.bytes / ours / self.bandwidth:.0%} of copy bandwidth"
        return ""


def compare(case: Case, ours: Worker, theirs: Worker, rounds: int, seconds: float) -> dict[str, Any]:
    """``rounds`` measurements of each library, in turn."""
    samples: dict[str, list[float]] = {"pydl": [], "torch": []}
    faults = 0.0
    ours.run(case, 0.02)
    theirs.run(case, 0.02)
    for _ in range(rounds):
        result = ours.run(case, seconds)
        samples["pydl"].append(result["median"])
        faults = result["faults"]
        samples["torch"].append(theirs.run(case, seconds)["median"])
    mine, other = (statistics.median(samples[name]) for name in ("pydl", "torch"))
    ratio = statistics.median(t / p for p, t in zip(samples["pydl"], samples["torch"]))
    return {"pydl": mine, "torch": other, "ratio": ratio, "faults": faults}


def pretty(seconds: float) -> str:
    """A time with a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(threads: int, cases: list[Case], options: Any) -> list[str]:
    """The rows of one thread count, as Markdown."""
    limits = Limits(options.limits, threads)
    lines = [f"{threads} thread{'s' if threads > 1 else ''} ({limits}):", ""]
    lines += ["| case | pydl | PyTorch | ratio | goal | of the limit |", "|---|---|---|---|---|---|"]
    ours, theirs = Worker("pydl", threads), Worker("torch", threads)
    try:
        for case in cases:
            r = compare(case, ours, theirs, options.rounds, options.seconds)
            fault = f"; {r['faults']:.1f} page faults" if case.bytes and r["faults"] >= 0.05 else ""
            limit = limits.column(case, r["pydl"], r["torch"]) + fault
            miss = "" if r["ratio"] >= case.bar else " (missed)"
            cells = [
                case.name,
                pretty(r["pydl"]),
                pretty(r["torch"]),
                f"{r['ratio']:.2f}",
                f"{case.bar:g}{miss}",
                limit,
            ]
            row = f"| {' | '.join(cells)} |"
            print(row, flush=True)
            lines.append(row)
    finally:
        ours.close()
        theirs.close()
    return [*lines, ""]


def write_readme(lines: list[str]) -> None:
    """Replace the generated part of README.md."""
    path = pathlib.Path(__file__).parent.parent / "README.md"
    text = path.read_text()
    begin, end = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
    head, tail = text.split(begin)[0], text.split(end)[1]
    path.write_text(head + begin + "\n" + "\n".join(lines) + end + tail)


def main() -> None:
    """Run the cases and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="per measurement")
    parser.add_argument("--limits", help="folder of the C++ benchmarks, for the FMA peak and the rate of reading")
    parser.add_argument("--compiled", action="store_true", help="training steps, PyTorch's through torch.compile")
    parser.add_argument("--readme", action="store_true", help="write the tables into README.md")
    options = parser.parse_args()
    cases = [case for case in (COMPILED_CASES if options.compiled else CASES) if options.only in case.name]
    lines: list[str] = []
    for threads in map(int, options.threads.split(",")):
        lines += table(threads, cases, options)
    if options.readme:
        from benchmarks.machine import machine_line

        write_readme([machine_line(), "", *lines])


if __name__ == "__main__":
    main()
