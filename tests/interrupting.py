"""The interrupt key, pressed at a certain moment."""

from itertools import count

from skperceptron.training.stack import Stack


def interrupt_at(monkeypatch, *calls):
    """Let the user press the interrupt key in some epochs, counted over all networks."""
    train, counted = Stack.run_epoch, count(1)

    def interrupted(stack):
        if next(counted) in calls:
            raise KeyboardInterrupt
        return train(stack)

    monkeypatch.setattr(Stack, "run_epoch", interrupted)
