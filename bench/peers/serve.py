"""The other end of bench/side.ts in Python: a process that gets a job and repeats it as often as it is asked."""
import ctypes
import gc
import json
import os
import sys
import time

answers = os.fdopen(3, "w")


def serve(prepare):
    """`prepare(job)` gives (facts, run); `run()` gives None or a dict of figures, in which `seconds` stands where it measured itself."""
    start, run = 0, None
    for line in sys.stdin:
        message = json.loads(line)
        if run is None:
            start = restart_peak()
            facts, run = prepare(message)
            answer(facts)
        elif message["request"] == "run":
            gc.collect()
            begun = time.perf_counter()
            figures = run() or {}
            answer({"seconds": time.perf_counter() - begun, **figures})
        else:
            answer(memory(start))


def memory(start):
    return {"start": start, "peak": memory_of("VmHWM")}


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def restart_peak():
    """Gives free memory back and counts the highest resident memory from here on; returns the present one."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass  # where /proc is read-only the peak of the start counts, too
    return memory_of("VmRSS")


def memory_of(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":")) * 1024
