"""``python -m benchmarks [subject ...] [options]``: measure, print Markdown, store."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from threadpoolctl import threadpool_limits

from . import scaling
from .cases import CASES
from .measuring import Options, Table
from .peers import available
from .report import circumstances, in_words, markdown, store_for_docs, store_json

SUBJECTS = (
    "training",
    "solvers",
    "activations",
    "sparse",
    "mapped",
    "prediction",
    "memory",
    "perceptron",
    "imports",
    "scaling",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure the subjects, and print and store the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="subject", help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="small problems, one repetition")
    parser.add_argument("--repeats", type=int, help="default: 5, or 1 with --quick")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--only", nargs="*", default=[], choices=[*available()], help="packages to compare with"
    )
    parser.add_argument("--cases", nargs="*", default=[], choices=[*CASES], help="training cases")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--docs", type=Path, help="folder of tables that docs/ includes")
    parser.add_argument("--plot", type=Path, help="file for a plot of the scaling")
    parsed = parser.parse_args(arguments)
    unknown = set(parsed.subjects) - set(SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    subjects = parsed.subjects or SUBJECTS
    if parsed.plot and "scaling" not in subjects:
        parser.error("--plot draws the subject scaling.")
    options = Options(
        repeats=parsed.repeats or (1 if parsed.quick else 5),
        threads=parsed.threads,
        quick=parsed.quick,
        only=tuple(parsed.only),
        cases=tuple(parsed.cases),
    )
    warnings.simplefilter("ignore")
    facts = circumstances(options)
    print(in_words(facts))
    print("In brackets: multiples of the number for skperceptron.")
    tables: list[Table] = []
    with threadpool_limits(options.threads):
        for subject in subjects:
            print(f"... {subject}", file=sys.stderr, flush=True)
            found = import_module(f"benchmarks.{subject}").tables(options)
            for table in found:
                print(f"\n{markdown(table)}", flush=True)
            tables += found
    if parsed.markdown:
        parsed.markdown.write_text("\n\n".join([in_words(facts), *map(markdown, tables)]) + "\n")
    if parsed.json:
        store_json(tables, facts, parsed.json)
    if parsed.docs:
        store_for_docs(tables, facts, parsed.docs)
    if parsed.plot:
        scaling.draw(tables, parsed.plot)


if __name__ == "__main__":
    main()
