"""What comes next is made while what has come is used."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetched(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield items; a thread makes the next one while the last one is in use.

    The thread is gone when the generator ends, raises or is closed.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items)
        while True:
            try:
                item = coming.result()
            except StopIteration:
                return
            coming = thread.submit(next, items)
            yield item
