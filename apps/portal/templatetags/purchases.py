"""How pages say how a purchase stands, and what happened to it."""

from django import template

from apps.accruals.queries.stories import Happened, Story
from apps.portal.wording import STANDINGS, STEPS, WHY_NOT, WHY_NOT_OTHERWISE

register = template.Library()


@register.filter
def standing_words(standing: str) -> str:
    """How a purchase stands."""
    return str(STANDINGS[standing])


@register.filter
def why_not(story: Story) -> str:
    """Why a purchase does not count."""
    said = story.answer if story.standing == "rejected" else ""
    return str(WHY_NOT.get(said or story.code, WHY_NOT_OTHERWISE))


@register.filter
def step_words(step: Happened) -> str:
    """What happened."""
    return str(STEPS[step.kind, step.of_return, step.status == "rejected"])
