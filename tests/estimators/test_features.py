"""The last hidden layer's values as features: transform, names, tables, pipelines."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skperceptron import MLPBinaryClassifier, MLPClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.activations import PReLU
from skperceptron.inspection._evaluate import evaluate
from skperceptron.model_selection import StackedGridSearchCV

MLPS = (MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor, MLPClassifier)
OPTIONS = (
    {"hidden_layer_sizes": (6, 4)},
    {"hidden_layer_sizes": 5, "activation": "tanh"},
    {"hidden_layer_sizes": (5, 5), "skip_connections": "residual"},
    {"hidden_layer_sizes": (5, 4), "skip_connections": "dense", "activation": PReLU()},
    {"hidden_layer_sizes": (5, 4), "skip_connections": "linear"},
    {"hidden_layer_sizes": (5, 4), "parametric_activation": True, "normalization": "batch"},
    {"hidden_layer_sizes": (5, 4), "dropout": 0.2, "input_dropout": 0.1, "feature_scale": True},
    {"hidden_layer_sizes": (5, 4), "activation": "identity", "normalization": "layer"},
)


def two_classes():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X[:100]), y[:100]


def fitted(cls, **options):
    X, y = two_classes()
    return cls(max_iter=4, tol=0, n_iter_no_change=9, random_state=0, **options).fit(X, y), X


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class TestTransform:
    @pytest.mark.parametrize("options", OPTIONS, ids=str)
    def test_is_what_inspection_shows_in_the_last_hidden_layer(self, options):
        network, X = fitted(MLPRegressor, **options)
        expected = evaluate(network, X).values[-2]
        np.testing.assert_allclose(network.transform(X), expected, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("cls", MLPS)
    def test_the_output_layer_makes_raw_predictions_of_it(self, cls):
        network, X = fitted(cls, hidden_layer_sizes=(6, 4))
        features = network.transform(X)
        assert features.shape == (100, 4)
        raw = features @ network.coefs_[-1] + network.intercepts_[-1]
        np.testing.assert_allclose(raw, network._raw_predictions(X), rtol=1e-9, atol=1e-12)

    def test_sparse_rows_and_float32_give_the_same(self):
        network, X = fitted(MLPSoftmaxClassifier, hidden_layer_sizes=(6, 4))
        features = network.transform(X)
        of_sparse = network.transform(sparse.csr_matrix(X))
        np.testing.assert_allclose(of_sparse, features, rtol=1e-9, atol=1e-12)
        single = network.transform(X.astype(np.float32))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, features, rtol=1e-4, atol=1e-5)

    def test_float32_stays_though_y_needs_float64(self):
        X, y = two_classes()
        network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3).fit(X, 1e9 + y)
        assert network.transform(X.astype(np.float32)).dtype == np.float32

    def test_uses_weights_that_the_user_assigns(self):
        network, X = fitted(MLPRegressor, hidden_layer_sizes=(4,))
        network.coefs_ = [np.zeros_like(network.coefs_[0]), network.coefs_[1]]
        expected = np.maximum(network.intercepts_[0], 0)
        np.testing.assert_allclose(network.transform(X), np.tile(expected, (100, 1)))

    def test_has_names_and_makes_tables(self):
        pandas = pytest.importorskip("pandas")
        network, X = fitted(MLPRegressor, hidden_layer_sizes=(6, 3))
        names = ["mlpregressor0", "mlpregressor1", "mlpregressor2"]
        assert list(network.get_feature_names_out()) == names
        table = network.set_output(transform="pandas").transform(X)
        assert isinstance(table, pandas.DataFrame)
        assert list(table.columns) == names

    def test_stands_before_another_estimator_in_a_pipeline(self):
        X, y = load_iris(return_X_y=True)
        network = MLPSoftmaxClassifier((8,), solver="lbfgs", alpha=0.1, random_state=0)
        model = make_pipeline(StandardScaler(), network, LogisticRegression()).fit(X, y)
        assert model.score(X, y) > 0.95
        assert model[-1].coef_.shape == (3, 8)
        assert len(model[:-1].get_feature_names_out()) == 8


class TestSearches:
    """A search is a transformer if its best estimator is one, and delegates to it."""

    def search(self, **options):
        X, y = load_iris(return_X_y=True)
        network = MLPSoftmaxClassifier((4,), solver="lbfgs", max_iter=30, random_state=0)
        options = {"refit": True, **options}
        return StackedGridSearchCV(network, {"alpha": [0.1, 1.0]}, cv=2, **options), X, y

    def test_delegate_everything_of_a_transformer(self):
        pandas = pytest.importorskip("pandas")
        search, X, y = self.search()
        assert hasattr(search, "transform")
        assert get_tags(search).transformer_tags is not None
        for ask in (search.get_feature_names_out, lambda: search.transform(X)):
            with pytest.raises(NotFittedError):
                ask()
        search.set_output(transform="pandas").fit(X, y)
        table = search.transform(X)
        assert isinstance(table, pandas.DataFrame)
        assert list(table.columns) == list(search.get_feature_names_out())
        plain = search.set_output(transform="default").transform(X)
        np.testing.assert_array_equal(plain, table)
        np.testing.assert_array_equal(plain, search.best_estimator_.transform(X))

    @pytest.mark.parametrize("refit", [False, "ensemble"])
    def test_without_a_best_network_do_not(self, refit):
        search, X, y = self.search(refit=refit)
        for one in (search, search.fit(X, y)):
            for name in ("transform", "get_feature_names_out", "set_output"):
                assert not hasattr(one, name)
            assert get_tags(one).transformer_tags is None

    def test_stand_in_pipelines_as_networks_do(self):
        search, X, y = self.search()
        model = make_pipeline(StandardScaler(), search, LogisticRegression()).fit(X, y)
        assert model[-1].coef_.shape == (3, 4)
        assert model.score(X, y) > 0.9

    def test_search_over_pipelines_with_a_network_in_the_middle(self):
        _, X, y = self.search()
        hidden = MLPSoftmaxClassifier((4,), solver="lbfgs", max_iter=30, random_state=0)
        final = MLPSoftmaxClassifier((3,), max_iter=5, random_state=0)
        model = Pipeline([("hidden", hidden), ("final", final)])
        grid = {"hidden__alpha": [0.1, 1.0], "final__alpha": [0.1, 1.0]}
        ours = StackedGridSearchCV(model, grid, cv=2).fit(X, y)
        theirs = GridSearchCV(model, grid, cv=2).fit(X, y)
        np.testing.assert_allclose(
            ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
        )


class TestNetworksWithoutIt:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"hidden_layer_sizes": ()}, "hidden_layer_sizes must not be empty"),
            ({"hidden_layer_sizes": (4,), "ensemble_size": 2}, "use ensemble_size=None"),
        ],
    )
    def test_have_no_transform_and_say_why(self, options, reason):
        network, X = fitted(MLPRegressor, **options)
        y = np.arange(len(X), dtype=float)
        for one in (network, clone(network)):
            for call in (
                lambda one=one: one.transform(X),
                lambda one=one: one.fit_transform(X, y),
                lambda one=one: one.get_feature_names_out(),
            ):
                with pytest.raises(AttributeError) as caught:
                    call()
                assert reason in str(caught.value.__cause__)
            assert not hasattr(one, "set_output")
            # scikit-learn lists what an object has by asking for each attribute.
            assert "predict" in dir(one)
            assert not hasattr(one, "_n_features_out")
        assert network.__sklearn_tags__().transformer_tags is None

    def test_say_that_they_are_not_fitted(self):
        with pytest.raises(NotFittedError):
            MLPRegressor().transform([[0.0]])
        with pytest.raises(NotFittedError):
            MLPRegressor().get_feature_names_out()

    def test_the_fit_decides_not_the_parameters_of_the_next(self):
        network, X = fitted(MLPRegressor, hidden_layer_sizes=(4,))
        assert network.set_params(hidden_layer_sizes=()).transform(X).shape == (100, 4)
