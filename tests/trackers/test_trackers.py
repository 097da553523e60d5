"""Trackers get the reports of a fit, and tools for scikit-learn's searches work with ours."""

import csv
import pickle
import sys
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPRegressor, MLPSoftmaxClassifier, RosenblattPerceptron
from skperceptron.callbacks import CSVLogger, loggers
from skperceptron.exceptions import InvalidOption
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    stacked_cross_val_score,
)
from skperceptron.model_selection._fits import curves_of
from skperceptron.stopping import EarlyStopping
from skperceptron.tabular import TabularMLPClassifier
from skperceptron.trackers import MLflowLogger, OptunaPruning, TensorBoardLogger, WandbLogger

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)


def network(*callbacks, **options):
    return MLPSoftmaxClassifier(
        (4,), max_iter=5, random_state=0, early_stopping=True, callbacks=list(callbacks), **options
    )


class PathLike:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def test_csv_has_a_line_for_each_epoch(tmp_path):
    path = tmp_path / "epochs.csv"
    fitted = network(CSVLogger(PathLike(path))).fit(X, Y)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == fitted.loss_curve_
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    RosenblattPerceptron(max_iter=3, callbacks=[CSVLogger(str(path))]).fit(X, Y)
    assert path.read_text().splitlines()[0] == "epoch,mistakes"


def test_csv_appends_on_request(tmp_path):
    path = tmp_path / "epochs.csv"
    for _ in range(2):
        network(CSVLogger(path, append=True)).fit(X, Y)
    lines = path.read_text().splitlines()
    assert len(lines) == 11
    assert sum(line.startswith("epoch") for line in lines) == 1


def test_a_refused_fit_writes_nothing(tmp_path, monkeypatch):
    def begin(*_):
        raise AssertionError("A refused fit has written something.")

    kept, new = tmp_path / "epochs.csv", tmp_path / "runs"
    network(CSVLogger(kept)).fit(X, Y)
    before = kept.read_text()
    for name in ("mlflow", "wandb", "tensorboard.summary"):
        module = SimpleNamespace(run=SimpleNamespace(config=SimpleNamespace(update=begin)))
        vars(module).update(active_run=begin, start_run=begin, Writer=begin)
        monkeypatch.setitem(sys.modules, name, module)
    for logger in (CSVLogger(kept), MLflowLogger(), WandbLogger(), TensorBoardLogger(new)):
        with pytest.raises(ValueError):
            network(logger, learning_rate_init=-1).fit(X, Y)
        with pytest.raises(ValueError):
            network(logger).fit(np.full_like(X, np.nan), Y)
    assert kept.read_text() == before
    network(CSVLogger(kept)).fit(X, Y)
    assert len(kept.read_text().splitlines()) == len(before.splitlines())


def test_csv_is_cleared_by_the_first_of_the_copies_in_worker_processes(tmp_path):
    path, fit = tmp_path / "epochs.csv", network()
    path.write_text("epoch,loss\n1,9\n")
    logger = CSVLogger(path)
    logger.setup(fit, None)
    for one in (pickle.loads(pickle.dumps(logger)), pickle.loads(pickle.dumps(logger))):
        one.on_fit_task_end(fit, SimpleNamespace(report={"epoch": 1, "loss": 0.5}))
    assert path.read_text().splitlines() == ["epoch,loss", "1,0.5", "1,0.5"]


def test_csv_of_fits_at_the_same_time_has_one_header(tmp_path):
    path = tmp_path / "epochs.csv"
    logger, fits = CSVLogger(path, append=True), [network(), network()]
    for fit in fits:
        logger.setup(fit, None)
    for fit, loss in zip(fits, (0.5, 0.25), strict=True):
        logger.on_fit_task_end(fit, SimpleNamespace(report={"epoch": 1, "loss": loss}))
    assert path.read_text().splitlines() == ["epoch,loss", "1,0.5", "1,0.25"]


def test_csv_has_one_header_if_another_fit_writes_it_first(tmp_path, monkeypatch):
    path, fit = tmp_path / "epochs.csv", network()

    @contextmanager
    def locked_later(descriptor):
        # Another process writes while this one waits for its turn.
        path.write_text("epoch,loss\n1,0.5\n")
        yield

    monkeypatch.setattr(loggers, "locked", locked_later)
    CSVLogger(path, append=True).on_fit_task_end(
        fit, SimpleNamespace(report={"epoch": 1, "loss": 0.25})
    )
    assert path.read_text().splitlines() == ["epoch,loss", "1,0.5", "1,0.25"]


def test_tensorboard_follows_fits_at_the_same_time(tmp_path, monkeypatch):
    class Writer:
        def __init__(self, folder):
            self.told, self.is_open = [], True
            writers.append(self)

        def add_scalar(self, name, value, epoch):
            assert self.is_open
            self.told.append(value)

        def flush(self):
            pass

        def close(self):
            self.is_open = False

    writers = []
    monkeypatch.setitem(sys.modules, "tensorboard.summary", SimpleNamespace(Writer=Writer))
    logger, fits = TensorBoardLogger(tmp_path), [network(), network()]
    for fit in fits:
        logger.setup(fit, None)
    for fit, loss in zip(fits, (0.5, 0.25), strict=True):
        logger.on_fit_task_end(fit, SimpleNamespace(report={"epoch": 1, "loss": loss}))
        # Writers are no part of copies.
        assert pickle.loads(pickle.dumps(logger)).folder == tmp_path
        logger.teardown(fit, None)
    assert [writer.told for writer in writers] == [[0.5], [0.25]]
    assert not any(writer.is_open for writer in writers)


def test_tensorboard_refuses_a_file_before_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", SimpleNamespace())
    monkeypatch.setattr(MLPSoftmaxClassifier, "_train", None)
    path = tmp_path / "runs"
    path.touch()
    with pytest.raises(InvalidOption, match=r"'folder' parameter .* Got .*runs.*, a file"):
        network(TensorBoardLogger(path)).fit(X, Y)
    with pytest.raises(InvalidOption, match=r"'folder' parameter .* not empty .* Got ''"):
        network(TensorBoardLogger("")).fit(X, Y)


@pytest.mark.parametrize("kind", [StackedGridSearchCV, StackedHalvingGridSearchCV])
def test_a_wrapper_of_scikit_learns_search_fit_also_wraps_ours(kind, monkeypatch):
    base = next(one for one in kind.__mro__ if one.__module__.startswith("sklearn."))
    seen = []
    own = base.fit

    def wrapped(self, *args, **params):
        seen.append(type(self))
        return own(self, *args, **params)

    monkeypatch.setattr(base, "fit", wrapped)
    kind(network(), {"alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
    assert seen == [kind]


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """Have MLflow log to a new folder: a database takes seconds to be made."""
    mlflow, folder = pytest.importorskip("mlflow"), tmp_path_factory.mktemp("mlflow")
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
        mlflow.search_experiments()
    except Exception:
        # The package mlflow-skinny has no database.
        mlflow.set_tracking_uri(folder.as_uri())
    yield mlflow
    mlflow.set_tracking_uri(before)


@pytest.fixture
def mlflow(tracking, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracking.create_experiment(tmp_path.name, artifact_location=tmp_path.as_uri())
    tracking.set_experiment(tmp_path.name)
    yield tracking
    tracking.end_run()


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_mlflow_gets_parameters_and_metrics(mlflow, in_pipeline):
    model = network(MLflowLogger())
    model = make_pipeline(StandardScaler(), model) if in_pipeline else model
    with mlflow.start_run() as run:
        model.fit(X, Y)
    fitted = model[-1] if in_pipeline else model
    client = mlflow.MlflowClient()
    data = client.get_run(run.info.run_id).data
    assert data.params["hidden_layer_sizes"] == "(4,)"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [one.value for one in history] == pytest.approx(fitted.loss_curve_)
    assert [one.step for one in history] == [1, 2, 3, 4, 5]


def test_mlflow_gets_calls_of_partial_fit_as_further_steps(mlflow):
    follows = {"callbacks": [MLflowLogger()]}
    models = MLPSoftmaxClassifier(**follows), RosenblattPerceptron(**follows)
    with mlflow.start_run() as run:
        for model in models:
            for _ in range(3):
                model.partial_fit(X, Y, classes=[0, 1, 2])
    client = mlflow.MlflowClient()
    for metric in ("loss", "mistakes"):
        history = client.get_metric_history(run.info.run_id, metric)
        assert [one.step for one in history] == [1, 2, 3]


@pytest.mark.parametrize("prefix", ["", "first ", "a.b: c-1_", "a/b", "a/b/", "größe/"])
def test_mlflow_takes_prefixes_that_are_allowed(mlflow, prefix):
    with mlflow.start_run() as run:
        network(MLflowLogger(prefix)).fit(X, Y)
    assert f"{prefix}loss" in mlflow.get_run(run.info.run_id).data.metrics


@pytest.mark.parametrize("prefix", ["a?b", "a\n", "/a", "a//", "../", "a/./b", "a/../", ".", 3])
def test_a_prefix_that_mlflow_refuses_is_refused_before_training(prefix, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    monkeypatch.setattr(MLPSoftmaxClassifier, "_train", None)
    with pytest.raises(InvalidOption, match="The 'prefix' parameter of MLflowLogger must be a str"):
        network(MLflowLogger(prefix)).fit(X, Y)


def test_mlflow_keeps_parameters_that_a_run_has_and_gets_the_others(mlflow):
    with mlflow.start_run() as run:
        mlflow.log_param("alpha", 7)
        network(MLflowLogger(), alpha=0.5).fit(X, Y)
        network(MLflowLogger(), alpha=0.7).fit(X, Y)
    params = mlflow.get_run(run.info.run_id).data.params
    assert params["alpha"] == "7"
    assert params["hidden_layer_sizes"] == "(4,)"


def test_parameters_of_mlflow_have_no_name_that_autologging_writes_at_the_same_time(mlflow):
    """If two threads log the same name, one of them loses all of its parameters."""
    with mlflow.start_run() as run:
        network(MLflowLogger()).fit(X, Y)
    names = set(mlflow.get_run(run.info.run_id).data.params)
    for outer in (make_pipeline(network()), StackedGridSearchCV(network(), {})):
        assert names.isdisjoint(outer.get_params(deep=False))


def test_autologging_of_mlflow_logs_a_stacked_search(mlflow):
    sklearn_flavor = pytest.importorskip("mlflow.sklearn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sklearn_flavor.autolog(log_models=False, log_datasets=False, silent=True)
        try:
            with mlflow.start_run() as run:
                StackedGridSearchCV(network(), {"alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
        finally:
            sklearn_flavor.autolog(disable=True)
    client = mlflow.MlflowClient()
    data = client.get_run(run.info.run_id).data
    assert {"best_alpha", "cv"} <= set(data.params)
    assert "best_cv_score" in data.metrics
    filtered = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    assert len(client.search_runs([run.info.experiment_id], filtered)) == 2


@pytest.fixture
def autologging(mlflow):
    flavor = pytest.importorskip("mlflow.sklearn")
    options = {"log_models": False, "log_datasets": False, "silent": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flavor.autolog(**options, max_tuning_runs=None)
        yield mlflow
        flavor.autolog(disable=True)


def children_of(mlflow, run):
    tagged = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    return mlflow.search_runs([run.info.experiment_id], tagged, output_format="list")


def curves_in(mlflow, run):
    """Return the metrics of a run with more than one step, as lists of steps and values."""
    client = mlflow.MlflowClient()
    found = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {
        name: sorted((one.step, one.value) for one in history)
        for name, history in found.items()
        if len(history) > 1
    }


@pytest.mark.parametrize("has_own_run", [True, False])
def test_child_runs_of_autologging_have_the_curves_of_all_splits(autologging, has_own_run):
    """Also those of a second search in the same run, and of epochs without validation."""
    mlflow = autologging
    model = make_pipeline(StandardScaler(), network())
    grids = [{"alpha": [1e-4, 1.0]}, {"alpha": [0.1], "early_stopping": [EarlyStopping(every=2)]}]
    seen = []
    if has_own_run:
        mlflow.start_run()
    for grid in grids:
        named = {f"mlpsoftmaxclassifier__{name}": values for name, values in grid.items()}
        search = StackedGridSearchCV(model, named, cv=2).fit(X, Y)
        parent = mlflow.active_run() or mlflow.last_active_run()
        new = [run for run in children_of(mlflow, parent) if run.info.run_id not in seen]
        seen += [run.info.run_id for run in new]
        found = {run.data.params["mlpsoftmaxclassifier__alpha"]: run for run in new}
        parameters = search.cv_results_["params"]
        assert found.keys() == {str(one["mlpsoftmaxclassifier__alpha"]) for one in parameters}
        for one, of_splits in zip(parameters, search.curves_, strict=True):
            expected = {
                f"split{n}_{name}": [
                    (epoch, value) for epoch, value in enumerate(curve, 1) if value == value
                ]
                for n, curves in enumerate(of_splits)
                for name, curve in curves.items()
            }
            assert len(expected) == 6
            assert curves_in(mlflow, found[str(one["mlpsoftmaxclassifier__alpha"])]) == expected
        history = mlflow.MlflowClient().get_metric_history(parent.info.run_id, "refit_loss")
        values = [one.value for one in history[-5:]]
        assert values == search.best_estimator_[-1].loss_curve_
    assert len(seen) == 3


@pytest.mark.parametrize("has_own_run", [True, False])
def test_autologging_has_the_curves_of_the_final_fit_of_searches_without_child_runs(
    autologging, has_own_run
):
    mlflow = autologging
    if has_own_run:
        mlflow.start_run()
    search = StackedHalvingGridSearchCV(network(), {"alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
    (run,) = runs_of(mlflow)
    curves = curves_of(search.best_estimator_)
    expected = {f"refit_{name}": curve for name, curve in curves.items()}
    assert curves_in(mlflow, run) == epochs_of(**expected)


def test_autologging_has_no_curves_of_searches_within_a_search(autologging):
    inner = StackedHalvingGridSearchCV(network(), {"alpha": [1e-4, 1.0]}, cv=2)
    StackedHalvingGridSearchCV(inner, {"factor": [2, 3]}, cv=2).fit(X, Y)
    (run,) = runs_of(autologging)
    assert not curves_in(autologging, run)


def runs_of(mlflow):
    return mlflow.search_runs(output_format="list")


def epochs_of(**curves):
    return {name: list(enumerate(curve, 1)) for name, curve in curves.items()}


@pytest.mark.parametrize("has_own_run", [True, False])
@pytest.mark.parametrize("callbacks", [[], [MLflowLogger()]])
def test_autologging_has_parameters_and_curves_of_a_network(autologging, has_own_run, callbacks):
    """Once, even if a callback logs them as well."""
    mlflow = autologging
    if has_own_run:
        mlflow.start_run()
    fitted = network(*callbacks, alpha=0.25).fit(X, Y)
    assert (mlflow.active_run() is not None) == has_own_run
    (run,) = runs_of(mlflow)
    assert run.info.status == ("RUNNING" if has_own_run else "FINISHED")
    assert run.data.params["alpha"] == "0.25"
    assert run.data.params["solver"] == "adam"
    assert run.data.tags["estimator_name"] == "MLPSoftmaxClassifier"
    found = curves_in(mlflow, run)
    found.pop("learning_rate", None)
    assert found == epochs_of(
        loss=fitted.loss_curve_,
        validation_loss=fitted.validation_loss_curve_,
        validation_score=fitted.validation_scores_,
    )


def test_autologging_has_the_mistakes_of_a_perceptron(autologging):
    fitted = RosenblattPerceptron(max_iter=4).fit(X, Y)
    (run,) = runs_of(autologging)
    assert curves_in(autologging, run) == epochs_of(mistakes=fitted.mistakes_)


def test_autologging_has_the_curves_of_the_members_of_ensembles(autologging):
    ensemble = StackedEnsembleClassifier(network(), n_members=2, random_state=0).fit(X, Y)
    cross = StackedCrossEnsembleClassifier(network(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, Y)
    table = TabularMLPClassifier("fast", n_folds=2, max_epochs=3, random_state=0).fit(X, Y)
    of_table, of_cross, of_ensemble = runs_of(autologging)
    found = curves_in(autologging, of_ensemble)
    assert len(found) == 6
    loss = ensemble.estimators_[1].loss_curve_
    assert found["member1_loss"] == epochs_of(loss=loss)["loss"]
    found = curves_in(autologging, of_cross)
    assert len(found) == 18
    assert found["arm1_split2_loss"] == epochs_of(loss=cross.loss_curves_[1][2])["loss"]
    assert of_cross.data.metrics["oof_score"] == cross.oof_score_
    assert of_table.data.params["preset"] == "fast"
    assert of_table.data.metrics["oof_score"] == table.cv_score_
    assert len(curves_in(autologging, of_table)["arm0_split1_loss"]) == 3


def test_autologging_has_one_run_for_a_fit_with_others_inside(autologging):
    """The curves are those of a pipeline's own network, not of networks in its other steps."""
    selector = SelectFromModel(network(alpha=1.0), importance_getter=lambda _: np.ones(4))
    pipeline = make_pipeline(StandardScaler(), selector, network()).fit(X, Y)
    (run,) = runs_of(autologging)
    assert run.data.tags["estimator_name"] == "Pipeline"
    assert curves_in(autologging, run) == epochs_of(
        loss=pipeline[-1].loss_curve_,
        validation_loss=pipeline[-1].validation_loss_curve_,
        validation_score=pipeline[-1].validation_scores_,
    )


def test_autologging_has_no_curves_of_the_fits_of_an_ordinary_search(autologging):
    model = make_pipeline(StandardScaler(), network())
    GridSearchCV(model, {"mlpsoftmaxclassifier__alpha": [0.1, 1.0]}, cv=2).fit(X, Y)
    assert not any(curves_in(autologging, run) for run in runs_of(autologging))


def test_autologging_logs_neither_partial_fits_nor_stacked_scores(autologging):
    network(alpha=0.1).set_params(early_stopping=False).partial_fit(X, Y, classes=[0, 1, 2])
    stacked_cross_val_score(network(), X, Y, cv=2)
    assert not runs_of(autologging)


def test_autologging_reports_a_failed_fit(autologging):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        network().fit(X, Y[:7])
    (run,) = runs_of(autologging)
    assert run.info.status == "FAILED"
    assert autologging.active_run() is None


def test_autologging_leaves_a_run_alone_if_it_is_exclusive(autologging):
    autologging.sklearn.autolog(exclusive=True, log_models=False, silent=True)
    with autologging.start_run():
        network().fit(X, Y)
    (run,) = runs_of(autologging)
    assert not run.data.params


def test_autologging_logs_the_network_itself_on_request(autologging, monkeypatch):
    autologging.sklearn.autolog(registered_model_name="mine", silent=True)
    logged = []
    monkeypatch.setattr(
        autologging.sklearn, "log_model", lambda model, **options: logged.append((model, options))
    )
    fitted = network().fit(X, Y)
    ((model, options),) = logged
    assert model is fitted
    assert options["registered_model_name"] == "mine"
    assert options["signature"].inputs.input_types()[0] == np.float64


@pytest.mark.parametrize("method", ["log_params", "get_run", "end_run", "start_run"])
def test_a_network_is_fitted_even_if_it_cannot_be_logged(autologging, monkeypatch, method):
    def refuse(*args, **kwargs):
        raise ConnectionError("the server is gone")

    with monkeypatch.context() as patched:
        patched.setattr(autologging, method, refuse)
        with pytest.warns(UserWarning, match="not logged all of the fit of this MLPSoftmax.*gone"):
            fitted = network().fit(X, Y)
    assert len(fitted.loss_curve_) == 5


def test_many_epochs_are_logged_in_parts(autologging):
    mlflow = autologging
    model = network().set_params(max_iter=1100, early_stopping=False, tol=0, n_iter_no_change=1100)
    search = StackedGridSearchCV(model, {}, cv=2, refit=False).fit(X[::10], Y[::10])
    (child,) = children_of(mlflow, mlflow.last_active_run())
    found = curves_in(mlflow, child)
    assert [value for _, value in found["split1_loss"]] == list(search.curves_[0][1]["loss"])
    assert len(found["split0_loss"]) == 1100


def test_a_search_is_fitted_even_if_its_curves_cannot_be_logged(autologging, monkeypatch):
    mlflow = autologging
    own = mlflow.MlflowClient.log_batch

    def refuse(client, run_id, metrics=(), **others):
        if any(metric.step for metric in metrics):
            raise ConnectionError("the server is gone")
        return own(client, run_id, metrics=metrics, **others)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", refuse)
    with pytest.warns(UserWarning, match="has not logged all of the fit of .*: the server is gone"):
        search = StackedGridSearchCV(network(), {}, cv=2).fit(X, Y)
    assert len(search.best_estimator_.loss_curve_) == 5


def test_a_search_is_fitted_even_if_mlflow_is_of_another_kind(monkeypatch):
    for name in ("mlflow.utils", "mlflow.utils.autologging_utils"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    with pytest.warns(
        UserWarning, match="has not logged all of the fit of this StackedGridSearchCV"
    ):
        search = StackedGridSearchCV(network(), {}, cv=2).fit(X, Y)
    assert len(search.best_estimator_.loss_curve_) == 5


def test_an_error_of_mlflow_replaces_no_other_where_warnings_are_errors(monkeypatch, capsys):
    for name in ("mlflow.utils", "mlflow.utils.autologging_utils"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ConvergenceWarning)
    assert len(network().fit(X, Y).loss_curve_) == 5
    with pytest.raises(ValueError, match="contains NaN"):
        network().fit(np.full(X.shape, np.nan), Y)
    assert capsys.readouterr().err.count("MLflow has not logged") == 2


def test_without_autologging_nothing_is_logged(mlflow):
    pytest.importorskip("mlflow.sklearn")
    with mlflow.start_run() as run:
        StackedGridSearchCV(network(), {}, cv=2).fit(X, Y)
        network().fit(X, Y)
    data = mlflow.get_run(run.info.run_id).data
    assert not data.metrics
    assert not children_of(mlflow, run)


def test_tensorboard_gets_metrics(tmp_path):
    pytest.importorskip("tensorboard.summary")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fitted = network(TensorBoardLogger(tmp_path)).fit(X, Y)
    events = EventAccumulator(str(tmp_path)).Reload()
    values = [event.tensor_proto.float_val[0] for event in events.Tensors("loss")]
    np.testing.assert_allclose(values, fitted.loss_curve_, rtol=1e-6)


def test_wandb_gets_parameters_and_metrics(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with pytest.raises(ValueError, match=r"call wandb\.init before the fit"):
        network(WandbLogger()).fit(X, Y)
    with wandb.init(mode="offline", dir=tmp_path) as run:
        fitted = network(WandbLogger()).fit(X, Y)
        assert run.config["hidden_layer_sizes"] == "(4,)"
        assert run.summary["loss"] == pytest.approx(fitted.loss_curve_[-1])


def test_optuna_prunes_trials_that_perform_worse():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    epochs = []

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate_init", [0.1, 1e-6])
        model = network(OptunaPruning(trial), learning_rate_init=rate, batch_size=16)
        try:
            return min(model.fit(X, Y).validation_loss_curve_)
        finally:
            epochs.append(getattr(model, "n_iter_", 0))

    study = optuna.create_study(
        sampler=optuna.samplers.GridSampler({"learning_rate_init": [0.1, 1e-6]}, seed=1),
        pruner=optuna.pruners.ThresholdPruner(upper=1.0, n_warmup_steps=2),
    )
    study.optimize(objective)
    states = {trial.params["learning_rate_init"]: trial.state.name for trial in study.trials}
    assert states == {0.1: "COMPLETE", 1e-6: "PRUNED"}


class Trial:
    def __init__(self):
        self.told = []

    def report(self, value, step):
        self.told.append((step, value))

    def should_prune(self):
        return False


def test_clones_report_to_the_same_trial():
    trial = Trial()
    cross_val_score(network(OptunaPruning(trial, "loss")), X, Y, cv=2)
    assert [step for step, _ in trial.told] == [1, 2, 3, 4, 5] * 2


def test_epochs_without_validation_are_not_reported():
    class Logger(MLflowLogger):
        told = []

        def setup(self, estimator, context):
            pass

        def _begin(self, estimator):
            pass

        def _log(self, begun, figures, epoch):
            self.told.append((epoch, sorted(figures)))

    trial = Trial()
    callbacks = [OptunaPruning(trial), Logger()]
    model = network(*callbacks).set_params(early_stopping=EarlyStopping(every=2)).fit(X, Y)
    assert trial.told == [(n, model.validation_loss_curve_[n - 1]) for n in (2, 4, 5)]
    always = ["learning_rate", "loss"]
    validated = [*always, "validation_loss", "validation_score"]
    assert [names for _, names in Logger.told] == [
        validated if n in (2, 4, 5) else always for n in range(1, 6)
    ]


def test_a_metric_that_is_not_reported_is_refused():
    trial = SimpleNamespace(report=None, should_prune=None)
    model = MLPRegressor(hidden_layer_sizes=(3,), callbacks=[OptunaPruning(trial)], max_iter=2)
    with pytest.raises(ValueError, match="monitor='validation_loss' of OptunaPruning is not rep"):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("logger", "package"),
    [(MLflowLogger(), "mlflow"), (WandbLogger(), "wandb"), (TensorBoardLogger("x"), "tensorboard")],
    ids=str,
)
def test_what_is_missing_is_named(logger, package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.summary", None)
    with pytest.raises(ImportError, match=rf"needs {package}: pip install {package}"):
        network(logger).fit(X, Y)


def test_a_grid_search_of_scikit_learn_logs_each_fit(tmp_path):
    path = tmp_path / "epochs.csv"
    GridSearchCV(network(CSVLogger(path, append=True)), {"alpha": [1, 2]}, cv=2).fit(X, Y)
    assert len(path.read_text().splitlines()) == 1 + 5 * 5
