"""Members of stacks, made from keyword options."""

from dataclasses import fields, replace

from skperceptron.training import Member, Recipe

OF_RECIPE = {field.name for field in fields(Recipe)}


def member_of(**options):
    """Make a member; the names of the options decide which belong to its recipe."""
    recipe = {name: value for name, value in options.items() if name in OF_RECIPE}
    own = {name: value for name, value in options.items() if name not in OF_RECIPE}
    return Member(Recipe(**{"n_samples": len(own["rows"]), **recipe}), **own)


def varied(member, **options):
    """Return a member that differs in some options."""
    recipe = {name: value for name, value in options.items() if name in OF_RECIPE}
    own = {name: value for name, value in options.items() if name not in OF_RECIPE}
    return replace(member, recipe=replace(member.recipe, **recipe), **own)
