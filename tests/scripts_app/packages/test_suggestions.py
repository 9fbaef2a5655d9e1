"""Names that were probably meant."""

from scripts_app.packages import requirements, suggestions
from tests.rows import each_row


@each_row(
    ("name", "meant"),
    [
        ("reqests", "requests"),
        ("Panda", "pandas"),
        ("beatifulsoup4", "beautifulsoup4"),
        ("sklearn", "scikit-learn"),
        ("PIL", "pillow"),
        ("cv2", "opencv-python-headless"),
        ("requests", ""),
        ("our-own-package", ""),
        ("json", ""),
        ("datetime", ""),
    ],
)
def test_a_likely_name_is_found_and_none_where_there_is_none(name: str, meant: str) -> None:
    assert suggestions.suggestion(name) == meant


@each_row(
    ("module", "package"),
    [
        ("yaml", "pyyaml"),
        ("PIL.Image", "pillow"),
        ("requests.adapters", "requests"),
        ("pip", "pip"),
        ("google_auth", "google-auth"),
        ("our_own_module", ""),
    ],
)
def test_the_package_of_a_module_is_named_where_it_is_well_known(module: str, package: str) -> None:
    assert suggestions.package_of_import(module) == package


def test_a_message_about_something_else_stays_as_it_is() -> None:
    assert suggestions.with_suggestion("No space left on device") == "No space left on device"


def test_all_suggestions_are_requirements() -> None:
    names = suggestions.POPULAR_PACKAGES | set(suggestions.PACKAGES_BY_IMPORT.values())
    assert requirements.normalise("\n".join(names)).splitlines() == sorted(names)
