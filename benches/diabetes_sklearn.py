"""The diabetes job with pandas and scikit-learn: read, split, fit, score with bootstrap intervals, compare with a dummy."""

import sys

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

frame = pd.read_csv(sys.argv[1])
frame.describe()
x, y = frame.drop(columns="progression"), frame["progression"]
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.33, random_state=42)
model = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(x_train, y_train)
dummy = DummyRegressor().fit(x_train, y_train)
truth, ours, base = y_test.to_numpy(float), model.predict(x_test), dummy.predict(x_test)
draw = np.random.default_rng(42)
for metric in (root_mean_squared_error, mean_absolute_error, r2_score):
    resampled = []
    for _ in range(1000):
        rows = draw.integers(0, len(truth), len(truth))
        resampled.append(metric(truth[rows], ours[rows]))
    low, high = np.percentile(resampled, [2.5, 97.5])
    print(f"{metric.__name__}: {metric(truth, ours):.4f} [{low:.4f}, {high:.4f}], dummy {metric(truth, base):.4f}")
