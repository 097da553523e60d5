"""Estimators at the end of pipelines."""

from sklearn.ensemble import RandomTreesEmbedding
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPRegressor
from skperceptron._sklearn.pipelines import last_step, levels_of, path_of, seed_transformers


def nested():
    trees = RandomTreesEmbedding(2)
    inner = Pipeline([("scale", StandardScaler()), ("trees", trees), ("net", MLPRegressor())])
    return Pipeline([("first", StandardScaler()), ("second", StandardScaler()), ("inner", inner)])


def test_the_last_step_is_found_in_pipelines_of_any_depth_and_length():
    outer = nested()
    inner = outer.steps[-1][1]
    assert levels_of(outer) == [outer, inner]
    assert last_step(outer) is last_step(inner) is inner.steps[-1][1]
    assert path_of(outer) == "inner__net__" and path_of(inner) == "net__"
    network = MLPRegressor()
    assert levels_of(network) == [] and last_step(network) is network and path_of(network) == ""


def test_transformers_are_seeded_and_the_network_is_not():
    outer = nested()
    seed_transformers(outer, 5)
    found = outer.get_params()
    assert found["inner__trees__random_state"] == 5 and found["inner__net__random_state"] is None
    seed_transformers(outer, 6)
    assert outer.get_params()["inner__trees__random_state"] == 5
