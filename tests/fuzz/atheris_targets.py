"""The same targets under coverage guidance, by hand: atheris is not needed by anything else.

    pip install atheris
    python tests/fuzz/atheris_targets.py TARGET [-max_total_time=600] [FOLDER]

``TARGET`` is one of those in ``fuzz_targets.py``. Inputs that reach new code are kept in FOLDER, or nowhere; one that
fails is written to the current folder as ``crash-...``. Copied to ``corpus/TARGET/`` it is tried in every run of the
tests.
"""

import contextlib
import sys
import warnings
from pathlib import Path
from tempfile import mkdtemp

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: pip install atheris")

with atheris.instrument_imports(include=["gemexp", "msgpack", "ruamel", "lark", "tomllib"]):
    from fuzz_targets import CORPUS, EXPECTED, TARGETS


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in {target.name for target in TARGETS}:
        sys.exit(f"name one of: {', '.join(target.name for target in TARGETS)}")
    name = sys.argv.pop(1)
    (target,) = (target for target in TARGETS if target.name == name)
    run = target.make(Path(mkdtemp()))
    warnings.simplefilter("ignore")

    def attempt(data):
        with contextlib.suppress(*EXPECTED):
            run(data)

    # The corpus comes last: the first folder is where new inputs are kept.
    atheris.Setup([*sys.argv, str(CORPUS / target.name)] if sys.argv[1:] else sys.argv, attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
