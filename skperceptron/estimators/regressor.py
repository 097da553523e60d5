"""The regressor: `output` and `output_range` choose the kind of its target."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import check_numbers
from .._sklearn.compat import fit_context
from .._sklearn.fit_calls import FitMode
from ..engine.arrays import Floats
from ..losses import Loss, get_loss
from ..options import Flag, Instance, Interval, Listing, Name, Rules, speaks_for_itself
from .base import (
    BaseMultilayerPerceptron,
    is_stochastic,
    takes_shared_parameters,
)
from .docs import shares_documentation
from .targets import (
    RegressionOptions,
    RegressionTarget,
    Target,
    WholeNumbers,
    kind_of_target,
    list_outputs,
)


def _is_categorical(estimator: MLPRegressor) -> bool:
    """Tell ``available_if`` whether there is ``predict_proba``: if fitted, the fit decides."""
    fitted = vars(estimator).get("_fitted")
    if fitted is not None and isinstance(fitted.target, WholeNumbers):
        return True
    is_asked = isinstance(estimator.output, str) and estimator.output == "categorical"
    if fitted is not None or not is_asked:
        raise AttributeError(
            "predict_proba needs a fit with output='categorical', got"
            f" output={estimator.output!r}{'' if fitted is None else ' after another fit'}."
        )
    return True


# Long because of its docstrings: parameters and methods are documented where users look for them.
@speaks_for_itself
@shares_documentation
class MLPRegressor(RegressorMixin, BaseMultilayerPerceptron):
    """Multi-layer perceptron for one or several numbers.

    With ``dtype="float64"``, ``standardize_target=False``, the same parameters and the same
    `random_state`, the model is that of scikit-learn's
    :class:`~sklearn.neural_network.MLPRegressor`, up to rounding.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        {regression_losses}.
        Objects, which have parameters, are in :mod:`skperceptron.losses`.

    {parameters}

    output : str, default="continuous"
        {regression_outputs}.
        "categorical" turns the regression of an integer into classification: a softmax
        over all integers of `output_range`.

    output_range : tuple of two numbers, default=None
        Bounds of the prediction. With ``output="continuous"`` the prediction is
        ``low + (high - low) * sigmoid(raw)``, trained on the target scaled to [0, 1]. With
        ``output="categorical"`` the bounds are integers; None means those of y.

    categorical_prediction : {"mean", "mode"}, default="mean"
        Whether `predict` returns the mean or the mode of the distribution.

    standardize_target : {"auto"} or bool, default="auto"
        Whether each column of the target is standardized inside the network, to the mean 0 and a
        standard deviation between 0.7 and 1.4: it is divided by a power of two. The output layer is
        converted back afterwards, so that ``coefs_`` and ``intercepts_`` are in units of y;
        ``loss_curve_`` is in the network's units. "auto" does so, but with "squared_error" it
        leaves columns unchanged that are roughly standardized: a standard deviation in [0.5, 2],
        and a mean of at most one deviation from zero. For these, and with False, the model of
        "squared_error" is scikit-learn's. With "poisson" and "gamma" the target is divided by a
        power of two near its mean; with "poisson", "auto" leaves targets with means in [0.25, 10]
        unchanged. A bounded output starts at the mean, with errors in standard deviations. Not
        used with a categorical output, nor if ``equivariance`` of a loss of your own is "none".

    clip_predictions : bool, default=False
        Whether predictions are clipped to the range of the targets of the training rows, which
        the predictions of trees never leave either (Holzmüller et al. 2024). Standard deviations
        are not clipped.

    Attributes
    ----------
    values_ : ndarray of shape (n_values,)
        The integers of a categorical output.

    {attributes}

    See Also
    --------
    MLPBinaryClassifier : For two classes.
    MLPSoftmaxClassifier : For two classes or more.

    References
    ----------
    Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating
    errors. Nature 323.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skperceptron import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs",
    ...                        alpha=1, standardize_target=True, random_state=0)
    >>> network = network.fit(X, y)
    >>> network.predict(X[:2]).shape
    (2,)
    >>> bool(network.score(X, y) > 0.4)
    True
    """

    _y_is_numeric = True

    _attributes_of_targets = ("values_",)

    _parameter_constraints: dict[str, Rules] = {
        **BaseMultilayerPerceptron._parameter_constraints,
        "loss": [Instance(str), Instance(Loss)],
        "output": [Name(list_outputs())],
        "output_range": [Listing([Interval()], "two finite numbers (low, high)", 2), None],
        "categorical_prediction": [Name(["mean", "mode"])],
        "standardize_target": [Name(["auto"]), Flag()],
        "clip_predictions": [Flag()],
    }

    @takes_shared_parameters
    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        output="continuous",
        output_range=None,
        categorical_prediction="mean",
        standardize_target="auto",
        clip_predictions=False,
        **shared,
    ) -> None:
        super().__init__(hidden_layer_sizes, activation, **shared)
        self.loss = loss
        self.output = output
        self.output_range = output_range
        self.categorical_prediction = categorical_prediction
        self.standardize_target = standardize_target
        self.clip_predictions = clip_predictions

    @available_if(is_stochastic)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one epoch on the given rows.

        The first 32 rows, from one or several calls, determine the units of a standardized target.
        (If weights are unequal, the effective number of rows must reach 32.) Until then, each call
        may change the units. Predictions stay the same, unless the later rows are so different from
        the first ones that the network could not learn them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to learn from.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As `fit` does; an earlier fit is then left as it was.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        return_std : bool, default=False
            Whether to return standard deviations too; needs ``loss="gaussian_nll"``.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values, in the dtype of X; in float64 where float32 would overflow or lose too
            much precision. With a list of quantiles, there is one more axis for them, the last.

        y_std : ndarray of the same shape
            Standard deviations; only with ``return_std=True``.

        Raises
        ------
        ValueError
            If the loss does not estimate standard deviations.
        """
        values = self._predicted_values(X)
        loss = self._target().loss
        if return_std and not loss.estimates_std:
            raise ValueError(
                "return_std=True needs a loss that estimates standard deviations, such as"
                f" 'gaussian_nll', got loss={self.loss!r}."
            )
        if values.shape[1] == 1:
            values = values[:, 0]
        if not loss.estimates_std:
            return values[..., 0] if values.shape[-1] == 1 else values
        return (values[..., 0], values[..., 1]) if return_std else values[..., 0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2 of the predictions, or D2 for quantiles; the best value is 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            R2. With the pinball loss D2 instead, averaged over quantiles: the share by which the
            predictions reduce the loss of constant quantiles (Koenker & Machado 1999).
        """
        check_is_fitted(self)
        y = check_numbers(y)
        predicted: Any = self.predict(X)
        return self._target().measure(y, predicted, sample_weight)

    def _predicted_values(self, X: Any) -> Floats:
        """Return all predicted values of each target, (n_samples, T, outputs per target)."""
        X = self._checked_to_predict(X)
        target = self._target().predicting(self.categorical_prediction)
        values = self._network_as_assigned().decoded(X, target.decode)
        return values.reshape(len(values), -1, target.loss.outputs_per_target)

    @available_if(_is_categorical)
    def predict_proba(self, X: Any) -> Floats:
        """Return the distribution over ``values_``; needs ``output="categorical"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_values)
            Probability of each value.
        """
        raw = self._raw_predictions(X)
        self._target().loss.inverse_link(raw, out=raw)
        return raw

    def _target(self) -> RegressionTarget:
        return self._fitted.target

    def _choose_target(self, y: Any, mode: FitMode) -> Target:
        asked = RegressionOptions.of(self)
        return kind_of_target(asked)(asked)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        with suppress(TypeError, ValueError):
            tags.target_tags.positive_only = get_loss(self.loss).target_interval.low >= 0
        return tags
