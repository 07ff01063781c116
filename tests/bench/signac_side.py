"""Drives signac from inside, in an environment where it is installed. Its start is not measured."""

import logging
from itertools import islice

import signac
from side import each, lines, serve

_SECTIONS = ("feature_names", "feature_transformations", "feature_weights", "hyperparameters")
logging.disable(logging.WARNING)


class Side:
    """One signac project in the current folder: a job for each configuration, its tags in the job's document."""

    def __init__(self):
        self.project = signac.init_project()

    def fill(self, path, sample):
        """Make the jobs; return the ids of some, spread evenly."""
        ids = []
        for value in lines(path):
            job = self.project.open_job({section: value[section] for section in _SECTIONS}).init()
            ids.append(job.id)
        self.project = signac.get_project()  # as one that is opened later
        return {"ids": ids[:: max(1, len(ids) // sample)][:sample]}

    def get(self, prefixes):
        """Look up jobs by a prefix, and read them."""
        return each(lambda prefix: len(self.project.open_job(id=prefix).statepoint()), prefixes)

    def search(self, turns):
        """Find the jobs with ``k = 10 and lr > 0.1``."""
        query = {"hyperparameters.k": 10, "hyperparameters.lr": {"$gt": 0.1}}
        return each(lambda _: len(list(self.project.find_jobs(query))), islice(iter(int, 1), turns))


side = Side()
serve({"fill": side.fill, "get": side.get, "search": side.search})
