"""Transformers before networks, fitted once for all networks that need the same rows."""

import pickle

from skperceptron.model_selection._transforming import Transformed


class OddError(ValueError):
    """Can be pickled, but not loaded: it does not accept the string that it gives to its base."""

    def __init__(self, column, reason):
        super().__init__(f"{column}: {reason}")


def test_errors_of_transformers_come_back_from_workers_at_least_as_strings():
    errors = OddError("age", "negative"), ValueError("age")
    odd, usual = (pickle.loads(pickle.dumps(Transformed(error=error))).error for error in errors)
    # Dask's library teaches pickle to load such errors, too.
    assert (type(odd), str(odd)) in [
        (RuntimeError, "OddError: age: negative"),
        (OddError, "age: negative"),
    ]
    assert (type(usual), str(usual)) == (ValueError, "age")


def test_errors_of_transformers_keep_a_class_of_a_notebook_and_their_traceback():
    class OwnError(ValueError):
        pass

    try:
        raise OwnError("age")
    except OwnError as error:
        sent = pickle.dumps(Transformed(error=error))
    # The same error is sent on: it gets no second note.
    back = pickle.loads(pickle.dumps(pickle.loads(sent))).error
    assert (type(back), str(back)) == (OwnError, "age")
    (note,) = back.__notes__
    assert 'raise OwnError("age")' in note
