"""The program of a fresh process: enters a world, imports a pipeline, and answers with what it gives.

Requests and answers are lines of JSON on pipes of their own. The pipeline finds an empty standard input, and what it
prints goes where errors go.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve until the requests end."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    os.close(empty)

    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    order = json.loads(requests.readline())
    sys.path[:] = order["path"]
    sys.argv[:] = ["gemexp-check"]
    from gemexp.errors import GemexpError
    from gemexp.testing import pipelines, worlds

    try:
        worlds.enter(order["world"])
        function = pipelines.find(order["module"], order["file"], order["attribute"])
    except GemexpError as error:
        answer({"refused": str(error), "hint": error.hint})
        return
    except Exception as error:  # noqa: BLE001 - whatever a user's module raises
        answer({"refused": f"importing '{order['module']}' raised {type(error).__qualname__}: {error}", "hint": None})
        return
    answer({"ready": True})
    for request in requests:
        answer(_run(function, json.loads(request)))


def _run(function: Any, request: dict[str, Any]) -> dict[str, Any]:
    from gemexp.errors import InvalidValue
    from gemexp.testing import pipelines, results

    config = pipelines.config_of(request["sections"])
    outcomes = []
    for _ in range(request["times"]):
        try:
            returned = function(config)
        except Exception as error:  # noqa: BLE001 - whatever a user's pipeline raises is what came out
            form: Any = results.raised(error)
        else:
            try:
                form = results.comparable(returned)
            except InvalidValue as error:
                return {"refused": f"what the pipeline returns cannot be compared: {error}", "hint": error.hint}
        outcomes.append(results.dumps(form))
    return {"outcomes": outcomes}


if __name__ == "__main__":
    main()
