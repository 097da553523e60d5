"""
====================================================
A table with categories and missing values, as it is
====================================================

The table has the rents of flats, with numbers, towns, dates and missing values.
:class:`~skperceptron.tabular.TabularMLPRegressor` takes the data frame as it is. After the fit, it
reports how good its predictions are, what they depend on, and what weight each kind of network
has.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import r2_score

from skperceptron.tabular import TabularMLPRegressor

rng = np.random.RandomState(0)
n = 900
flats = pd.DataFrame(
    {
        "area": rng.gamma(9, 8, n).round(),
        "town": rng.choice(["Bern", "Linz", "Ulm"], n),
        "floor": rng.randint(0, 9, n).astype(float),
        "lift": rng.rand(n) < 0.5,
        "built": pd.to_datetime("1950-01-01") + pd.to_timedelta(rng.randint(26_000, size=n), "D"),
    }
)
# The top floors are expensive only if there is a lift.
rent = 9 * flats["area"] * flats["town"].map({"Bern": 2.0, "Linz": 1.2, "Ulm": 1.0})
rent += 30 * flats["floor"] * np.where(flats["lift"], 1, -1)
rent += 200 * (flats["built"].dt.year > 2000) + rng.normal(0, 60, n)
flats.loc[rng.rand(n) < 0.1, "floor"] = np.nan
flats.loc[rng.rand(n) < 0.1, "town"] = None
flats.head()

# %%
# You need not prepare anything. Three arms times six folds are eighteen networks.

train, test = slice(0, 600), slice(600, None)
model = TabularMLPRegressor(random_state=0).fit(flats[train], rent[train])

known = flats["town"].notna().to_numpy()
for kind, rows in (("known", known), ("missing", ~known)):
    held_out = rows[train]
    expected = r2_score(rent[train][held_out], model.oof_predictions_[held_out])
    found = model.score(flats[test][rows[test]], rent[test][rows[test]])
    print(f"town {kind}: R2 {expected:.2f} on held-out rows, {found:.2f} on new rows")
for members, weight in zip(model.ensemble_.estimators_, model.weights_, strict=True):
    print(f"weight {weight:.2f}: {members[0].activation}, layers {members[0].hidden_layer_sizes}")

# %%
# Left: out-of-fold predictions, by networks that were not trained on the row. If the town is
# missing, the rent cannot be predicted well. Right: how much the error of these predictions rises
# when a column is shuffled, together with everything that is derived from it, such as the levels of
# "town".

found = model.permutation_importances(flats[train], rent[train], random_state=0)
truth, predicted = rent[train].to_numpy(), model.oof_predictions_

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for label, color in (("known", "#0072b2"), ("missing", "#d55e00")):
    rows = known[train] if label == "known" else ~known[train]
    score = r2_score(truth[rows], predicted[rows])
    left.plot(truth[rows], predicted[rows], ".", color=color, label=f"town {label}: R2 {score:.2f}")
left.axline((500, 500), slope=1, color="gray", lw=1)
left.set(title="out-of-fold predictions", xlabel="rent", ylabel="predicted rent")
left.legend()
order = np.argsort(found.importances_mean)
rise = np.sqrt(model.cv_loss_ + found.importances_mean[order]) - np.sqrt(model.cv_loss_)
right.barh(flats.columns[order], rise, color="#0072b2")
right.set(title="importance of each column", xlabel="rise of the root mean squared error")
plt.show()
