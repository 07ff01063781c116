"""Drives MLflow on SQLite from inside, in an environment where it is installed. Its start is not measured."""

import json
import logging
import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
from side import each, serve

logging.disable(logging.WARNING)
mlflow.set_tracking_uri("sqlite:///mlflow.sqlite")
mlflow.set_experiment("bench")


def register(configs):
    """Record runs, one by one, with hyperparameters and weights as parameters, which MLflow stores as text."""

    def one(value):
        params = {name: json.dumps(part) for name, part in value["hyperparameters"].items()}
        params |= {f"weight.{name}": weight for name, weight in value["feature_weights"].items()}
        with mlflow.start_run(run_name=value["description"], tags=dict.fromkeys(value["tags"], "1")):
            mlflow.log_params(params)

    return each(one, configs)


serve({"register": register})
