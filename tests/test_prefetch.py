import threading

import pytest

from skperceptron.perceptron.prefetch import prefetched


@pytest.fixture(autouse=True)
def no_thread_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("n_items", [0, 1, 2, 50])
def test_items_come_in_their_order(n_items):
    assert list(prefetched(iter(range(n_items)))) == list(range(n_items))


def test_next_item_is_made_while_the_last_one_is_in_use():
    second_is_made = threading.Event()

    def items():
        yield 1
        second_is_made.set()
        yield 2

    for item in prefetched(items()):
        assert item == 2 or second_is_made.wait(10)


def test_no_more_than_the_next_item_is_made():
    made = []

    def items():
        for i in range(5):
            made.append(i)
            yield i

    for item in prefetched(items()):
        assert len(made) <= item + 2


def test_error_comes_out_after_the_items_before_it():
    def items():
        yield 1
        raise OSError("the disk is gone")

    coming = prefetched(items())
    assert next(coming) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)


def test_closing_waits_for_the_thread():
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def items():
        yield 1
        begun.set()
        may_end.wait(10)
        ended.append(True)
        yield 2

    coming = prefetched(items())
    next(coming)
    assert begun.wait(10)
    threading.Timer(0.05, may_end.set).start()
    coming.close()
    assert ended
