"""The nearest rules of a script: its own, else of the nearest folder above it, else of its tags, else for all."""

from collections.abc import Iterable, Sequence

from notifications_app.models import Channel, Rule
from scripts_app import folders
from scripts_app.models import Script

OWN = "this script"


def rules_of_script(script: Script, rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules that count: those of the nearest level alone, each with a channel of its own."""
    own = [rule for rule in rules if rule.script_id == script.pk]
    if own:
        return own
    of_folder = _of_nearest_folder(script, rules)
    if of_folder:
        return of_folder
    tagged = [rule for rule in rules if rule.tag and rule.tag in script.tags]
    if tagged:
        return one_a_channel(tagged)
    return rules_for_all(rules)


def rules_for_all(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if not rule.script_id and not rule.folder_id and not rule.tag]


def silenced_channels(script: Script, rules: Sequence[Rule]) -> list[Channel]:
    """Return the channels that hear nothing of a script only because a nearer rule of another channel counts."""
    counting = {rule.channel_id for rule in rules_of_script(script, rules)}
    wider = [rule for rule in _all_around(script, rules) if rule.channel_id not in counting]
    return [rule.channel for rule in one_a_channel(wider)]


def source(script: Script, rule: Rule) -> str:
    """Return where a script has a rule from, as its page says: `this script`, `folder Ops`, `tag db`, `all scripts`."""
    if rule.script_id == script.pk:
        return OWN
    return rule.scope


def _all_around(script: Script, rules: Sequence[Rule]) -> list[Rule]:
    path = f"{script.folder.path}/" if script.folder else ""
    found = [*rules_for_all(rules)]
    for rule in rules:
        is_above = rule.folder is not None and path.startswith(f"{rule.folder.path}/")
        if is_above or (rule.tag and rule.tag in script.tags):
            found.append(rule)
    return found


def _of_nearest_folder(script: Script, rules: Sequence[Rule]) -> list[Rule]:
    if script.folder is None:
        return []
    nearest_first = reversed(list(folders.with_ancestors(script.folder.path)))
    for path in nearest_first:
        found = [rule for rule in rules if rule.folder and rule.folder.path == path]
        if found:
            return found
    return []


def one_a_channel(rules: Iterable[Rule]) -> list[Rule]:
    """Return the oldest rule of each channel: what two rules ask for is told once."""
    found: dict[int, Rule] = {}
    for rule in sorted(rules, key=lambda each: each.pk):
        found.setdefault(rule.channel_id, rule)
    return list(found.values())
