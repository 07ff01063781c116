"""Adds many configurations in a process of its own; what it takes to make them is left out."""

import time
from itertools import islice

from side import cpu_time, lines, serve

from gemexp import ExperimentConfig, ExperimentRegistry

_AT_ONCE = 100


class Stopped:
    """Configurations out of a file, and the time that making them took; reading the clocks for each would show."""

    def __init__(self, path):
        self.wall = self.cpu = 0.0
        self._path = path

    def __iter__(self):
        values = lines(self._path)
        while True:
            wall, cpu = time.perf_counter(), cpu_time()
            configs = [ExperimentConfig.from_dict(value) for value in islice(values, _AT_ONCE)]
            self.wall += time.perf_counter() - wall
            self.cpu += cpu_time() - cpu
            if not configs:
                return
            yield from configs


def add_many(store, path):
    configs = Stopped(path)
    wall, cpu = time.perf_counter(), cpu_time()
    answer = len(ExperimentRegistry(store).add_many(configs))
    wall, cpu = time.perf_counter() - wall - configs.wall, cpu_time() - cpu - configs.cpu
    return {"wall": wall, "cpu": cpu, "answer": answer}


serve({"add_many": add_many})
