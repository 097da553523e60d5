"""Members of stacks, made from keyword options."""

from dataclasses import fields, replace

import numpy as np

from skperceptron.losses import SquaredError
from skperceptron.optimizers import Adam
from skperceptron.schedules import Constant
from skperceptron.training import Member, Recipe

OF_RECIPE = {field.name for field in fields(Recipe)}


def member_of(**options):
    """Make a member; the names of the options decide which belong to its recipe.

    By default, Adam minimizes the squared error without a penalty.
    """
    usual = {
        "loss": SquaredError(),
        "optimizer": Adam(),
        "schedule": Constant(),
        "learning_rate": 0.01,
        "alpha": 0.0,
        "rng": np.random.RandomState(0),
    }
    recipe, own = split(usual | options)
    return Member(Recipe(**{"n_samples": len(own["rows"]), **recipe}), **own)


def split(options):
    """Return the options that belong to a recipe, and the others."""
    recipe = {name: value for name, value in options.items() if name in OF_RECIPE}
    return recipe, {name: options[name] for name in options.keys() - OF_RECIPE}


def varied(member, **options):
    """Return a member that differs in some options."""
    recipe, own = split(options)
    return replace(member, recipe=replace(member.recipe, **recipe), **own)
