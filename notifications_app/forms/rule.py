"""The form of a rule: one choice says for what it is, boxes say of which events it tells."""

import copy
from typing import Any

from django import forms

from notifications_app.models import Channel, Rule
from notifications_app.rules import rules, words
from notifications_app.rules.rules import RuleError
from scripts_app.models import Folder, Script

ALL = "all"
NUMBERS = ("after", "every", "reminder", "skipped", "late_s", "slow_s")


class RuleForm(forms.Form):
    """The fields of a rule. `scope` is `all`, `folder:<id>`, `tag:<name>` or `script:<id>`."""

    channel = forms.ModelChoiceField(
        Channel.objects.exclude(kind=Channel.Kind.HEARTBEAT), label="Tell"
    )
    scope = forms.ChoiceField(
        label="About", help_text="The nearest rule counts: script, then folder, then tag, then all."
    )
    events = forms.MultipleChoiceField(
        required=False,
        label="When",
        choices=list(words.EVENTS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text="None: nothing is told, also where a wider rule would.",
    )
    after = forms.IntegerField(
        label="Failed: after so many in a row", min_value=1, max_value=1000, initial=1
    )
    every = forms.IntegerField(
        label="Failed: again after every so many", min_value=0, initial=0, help_text="0: not again."
    )
    reminder = forms.ChoiceField(
        label="Remind while it fails", choices=Rule.Reminder.choices, initial=Rule.Reminder.OFF
    )
    skipped = forms.IntegerField(
        label="Did not run: skipped in a row", min_value=1, max_value=1000, initial=3
    )
    late_s = forms.IntegerField(
        label="Did not run: later than (seconds)", min_value=0, initial=0, help_text="0: no matter."
    )
    slow_s = forms.IntegerField(
        label="Slow: longer than (seconds)",
        min_value=0,
        initial=0,
        help_text="0: longer than usual, or than the time to its next start.",
    )
    enabled = forms.BooleanField(required=False, initial=True)

    def __init__(self, rule: Rule, data: Any = None) -> None:
        initial = {name: getattr(rule, name) for name in ("events", "enabled", *NUMBERS)}
        initial |= {"channel": rule.channel_id, "scope": scope_of(rule)}
        super().__init__(data, initial=initial, label_suffix="")
        self.rule = rule
        self.fields["scope"].choices = scope_choices(rule)  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def number_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in NUMBERS]

    @property
    def changes(self) -> dict[str, Any]:
        """Return the fields of the rule as its verb takes them."""
        changes = dict(self.cleaned_data)
        kind, _, name = str(changes.pop("scope")).partition(":")
        changes["script"] = Script.objects.filter(pk=name).first() if kind == "script" else None
        changes["folder"] = Folder.objects.filter(pk=name).first() if kind == "folder" else None
        changes["tag"] = name if kind == "tag" else ""
        return changes

    def filled_rule(self) -> Rule:
        """Return the rule as the form says it, without saving it."""
        rule = copy.copy(self.rule)
        for name, value in self.changes.items():
            setattr(rule, name, value)
        return rule

    def save(self) -> Rule | None:
        """Store the rule and return it; None when the verb refuses, which is then an error of a field."""
        try:
            return rules.save(self.rule, self.changes)
        except RuleError as refusal:
            field = "scope" if refusal.field in ("script", "folder", "tag") else refusal.field
            self.add_error(field if field in self.fields else None, str(refusal))
            return None


def scope_of(rule: Rule) -> str:
    if rule.script_id:
        return f"script:{rule.script_id}"
    if rule.folder_id:
        return f"folder:{rule.folder_id}"
    if rule.tag:
        return f"tag:{rule.tag}"
    return ALL


def scope_choices(rule: Rule) -> list[tuple[str, Any]]:
    """Return what a rule may be for, and what this one is for though that is deleted or no script has the tag."""
    folders = Folder.objects.values_list("pk", "path")
    present = Script.objects.present()
    scripts = list(present.values_list("pk", "name"))
    tags: set[str] = set()
    for of_script in present.values_list("tags", flat=True):
        tags.update(of_script)
    if rule.tag:
        tags.add(rule.tag)
    if rule.script and rule.script.deleted_at:
        scripts.append((rule.script.pk, f"{rule.script.name} (deleted)"))
    return [
        (ALL, "All scripts, and Tempo itself"),
        ("Folders", [(f"folder:{pk}", path) for pk, path in folders]),
        ("Tags", [(f"tag:{tag}", tag) for tag in sorted(tags)]),
        ("Scripts", [(f"script:{pk}", name) for pk, name in scripts]),
    ]
