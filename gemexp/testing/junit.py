"""Results of checks as JUnit's XML, which CI services read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from gemexp.digest import short
from gemexp.notation import visible
from gemexp.testing.suite import ERROR, FAILED, Result

# What XML 1.0 cannot say at all, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(pipeline: str, results: Sequence[Result]) -> bytes:
    """Return results as a test suite: a test case for each property and config."""
    counts = {"tests": len(results), "failures": 0, "errors": 0, "skipped": 0}
    suite = ET.Element("testsuite", name=_text(f"gemexp check {pipeline}"))
    for result in results:
        name = _text(f"{result.name}[{short(result.config.config_hash)}]")
        case = ET.SubElement(suite, "testcase", classname=_text(pipeline), name=name)
        case.set("time", f"{result.seconds:.3f}")
        if result.verdict in (FAILED, ERROR):
            word = "failure" if result.verdict == FAILED else "error"
            counts[f"{word}s"] += 1
            problem = ET.SubElement(case, word, message=_text(result.message), type=_text(result.name))
            failed = result.counterexample
            if failed is not None:
                lines = [*str(failed).split("\n"), f"to run it again: {failed.command}"]
                problem.text = _text("\n".join(map(visible, lines)))
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", f"{sum(result.seconds for result in results):.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
