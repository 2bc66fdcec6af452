"""What `mlops drift REFERENCE CURRENT` does, by Evidently with its defaults; the third argument is where a page goes, or `-`."""

import sys

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

reference, current, page = sys.argv[1:4]
reference, current = (pd.read_csv(path, engine="c") for path in (reference, current))
snapshot = Report([DataDriftPreset()]).run(current, reference)
if page != "-":
    snapshot.save_html(page)
else:
    sys.stdout.write(snapshot.json())
