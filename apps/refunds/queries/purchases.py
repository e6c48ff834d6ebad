"""What single purchases bring, before the year's limits."""

from math import floor
from uuid import UUID

from django.utils import timezone

from apps.accruals.queries.stories import Story, story_of
from apps.purchases.following import Key
from apps.refunds.rules import rules_of
from apps.refunds.words import Explanation, Numbers, explain
from apps.schemes.purchase_rule import bases_of, shares_of_month


def explained(story: Story) -> Explanation:
    """What is left of a purchase as lines of an assessment, before limits."""
    rules = rules_of(story.scheme, story.tax_year)
    month = timezone.localtime(story.at).month
    lines = {rules.line_of[tier, month]: tier for tier in story.left if (tier, month) in rules.line_of}
    spend = [story.left.get(lines.get(index, ""), 0) for index in range(len(rules.lines))]
    bases = None
    if rule := story.scheme.refund.purchase:
        shares = shares_of_month(story.scheme, story.tax_year, month)
        brought = bases_of(rule, shares, story.left)
        bases = [brought.get(lines.get(index, ""), 0) for index in range(len(rules.lines))]
    return explain(story.scheme, rules, Numbers(spend, bases, (), 0))


def brings(resident_ref: UUID, sale: Key) -> int:
    """What is left of a resident's purchase brings before limits, in whole minor units; 0 of one that is not there."""
    story = story_of(resident_ref, *sale)
    return floor(explained(story).brought) if story else 0
