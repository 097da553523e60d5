"""
==================================
Which preset? A search over tables
==================================

:class:`~skperceptron.tabular.TabularMLPRegressor` needs no tuning, but it has a few options: the
preset, and the number of folds. They are parameters like any other, so that
:class:`~sklearn.model_selection.GridSearchCV` can try them. Is it worth it?
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, KFold

from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.tabular import TabularMLPRegressor

X, y = load_diabetes(return_X_y=True, scaled=False)
PRESETS, FOLDS = ["fast", "default"], [2, 4]
grid = {"preset": PRESETS, "n_folds": FOLDS}
cv = KFold(3, shuffle=True, random_state=0)
model = TabularMLPRegressor(max_epochs=15, random_state=0)

# %%
# The search makes three fits for each of four combinations, and one more fit of the best one to all
# rows. To save time, ``max_epochs=15`` cuts the training short. Without it, "default" trains for
# more epochs than "fast". Here the two presets differ only in the widths of their layers and in the
# number of arms: on a table of this size, "default" has three arms and "fast" has two.

search = GridSearchCV(model, grid, cv=cv, scoring="neg_root_mean_squared_error").fit(X, y)
results = search.cv_results_
table = pd.DataFrame(results["params"])
table["error"] = -results["mean_test_score"].round(1)
table["spread of the folds"] = results["std_test_score"].round(1)
print(table.to_string(index=False))
print(f"best: {search.best_params_}")

# %%
# On average, the errors of all four differ by at most half a unit. Which rows are held out matters
# much more: in the picture each line is one of the three folds of the search, and the lowest line
# is about three units below the highest. With so few rows, you cannot tell whether such small
# differences are real.

errors = -np.array([results[f"split{i}_test_score"] for i in range(cv.n_splits)])
labels = [f"{p['preset']}\n{p['n_folds']} folds" for p in results["params"]]
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for i, of_fold in enumerate(errors):
    ax.plot(labels, of_fold, "o-", color="gray", lw=1, ms=4, label=None if i else "one fold")
ax.plot(labels, errors.mean(axis=0), "D", color="#d55e00", ms=8, label="mean")
ax.set(title="errors of four presets", ylabel="root mean squared error")
ax.legend()
plt.show()

# %%
# :class:`~skperceptron.model_selection.StackedGridSearchCV` accepts tabular models too, and finds
# the same errors, as the first combination shows. But here it is no faster. It saves time by
# training single networks together. A tabular model already does so with the networks of its own
# arms and folds, and the search fits such models one after the other.

first = {name: [value] for name, value in results["params"][0].items()}
stacked = StackedGridSearchCV(model, first, cv=cv, scoring=search.scoring, refit=False).fit(X, y)
for name, found in (("GridSearchCV", search), ("StackedGridSearchCV", stacked)):
    print(f"{name:<22}{results['params'][0]}: {-found.cv_results_['mean_test_score'][0]:.3f}")

# %%
# Often no search is needed. Each fit holds out some of its rows, and stores its score on them:

print(f"R2 on the held-out rows of the last fit: {search.best_estimator_.cv_score_:.2f}")
