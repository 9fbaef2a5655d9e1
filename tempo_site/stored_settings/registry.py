"""The sections of settings, in the order of their pages. A new section is a module and a line here."""

from tempo_site.stored_settings import backup, general, limits, mail, mirror, retention, security
from tempo_site.stored_settings.fields import Section, SettingField

SECTIONS: dict[str, Section] = {
    section.slug: section
    for section in (
        general.SECTION,
        limits.SECTION,
        security.SECTION,
        mail.SECTION,
        retention.SECTION,
        backup.SECTION,
        mirror.SECTION,
    )
}
FIELDS: dict[str, SettingField] = {
    field.name: field for section in SECTIONS.values() for field in section.fields
}
