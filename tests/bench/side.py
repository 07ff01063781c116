"""What the scripts that drive a side from inside share: requests by line, and measuring."""

import json
import resource
import statistics
import sys
import time


def serve(actions):
    """Answer requests on standard input, a line of JSON each, until it ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = actions[request.pop("do")](**request)
        print(json.dumps(answer), flush=True)


def cpu_time():
    """Return the processor time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def each(call, values):
    """Return what a call takes for one of several values, and the last answer."""
    walls, cpu, answer = [], cpu_time(), None
    for value in values:
        began = time.perf_counter()
        answer = call(value)
        walls.append(time.perf_counter() - began)
    cpu = (cpu_time() - cpu) / len(walls)
    return {"wall": statistics.median(walls), "cpu": cpu, "answer": answer}


def lines(path):
    """Yield the configurations in a file of JSON lines."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
