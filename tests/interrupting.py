"""Interruptions by the user in certain epochs."""

from itertools import count

from skperceptron.training.stack import Stack


def interrupt_at(monkeypatch, *calls):
    """Raise KeyboardInterrupt in some epochs, counted over all stacks."""
    train, counted = Stack.run_epoch, count(1)

    def interrupted(stack):
        if next(counted) in calls:
            raise KeyboardInterrupt
        return train(stack)

    monkeypatch.setattr(Stack, "run_epoch", interrupted)
