"""The same forest with scikit-learn, on one core."""

import sys

import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

frame = pd.read_csv(sys.argv[1])
x, y = frame.drop(columns="y"), frame["y"]
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
model = RandomForestRegressor(n_estimators=100, min_samples_leaf=5, random_state=42, n_jobs=1).fit(x_train, y_train)
print(root_mean_squared_error(y_test, model.predict(x_test)))
