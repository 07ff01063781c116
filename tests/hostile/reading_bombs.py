"""Read files that grow, one after the other, with little memory: run by the test of that, in a process of its own."""

import os
import resource
import sys

from gemexp import canonical, formats
from gemexp.errors import GemexpError

MOST_BYTES = 400 << 20


def main(names):
    formats.loads("a: 1", "yaml")
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_BYTES, now + MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    for name in names:
        try:
            with open(name, "rb") as file:
                canonical.encode(formats.load(file, formats.format_of(name)))
        except GemexpError:
            continue
        except BaseException as error:
            error.add_note(name)
            raise


if __name__ == "__main__":
    main(sys.argv[1:])
