"""``python -m pydl``: version, processor, threads and memory."""

import pydl

pydl.show_config()
for name, value in pydl.memory_stats().items():
    print(f"{name:22}{value}")
