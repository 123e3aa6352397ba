"""Makes a page of runs and studies, to be opened from disk: python -m bms_tf.report runs/ring"""

import os

from absl import flags

from bms_tf.core import command

EXAMPLE = "python -m bms_tf.report runs/ring runs/grid --out=report.html"

OUT = flags.DEFINE_string("out", "report.html", "The page; its tables lie beside it as .md, .tex and a .csv for each.")


def main(argv):
    """Parses the flags, and writes the page and its tables."""
    if not argv[1:]:
        raise ValueError(f"folders of runs or studies are missing; for example: {EXAMPLE}")
    stem, ending = os.path.splitext(OUT.value)
    if ending != ".html":
        raise ValueError(f"--out is {OUT.value!r}; it must end with .html")
    from bms_tf.core import files
    from bms_tf.reporting.page import Report

    report = Report(argv[1:])
    page, tables = report.page(), report.tables()
    if os.path.dirname(stem):
        os.makedirs(os.path.dirname(stem), exist_ok=True)
    for end, text in {"html": page, **tables}.items():
        files.write_whole(f"{stem}.{end}", text)
    print(f"{OUT.value} ({len(page.encode()) / 1e6:.1f} MB); tables: {stem}.md and .tex, each alone in {stem}.*.csv")


if __name__ == "__main__":
    command.run(main, EXAMPLE, takes_arguments=True)
