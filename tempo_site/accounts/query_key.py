"""A key in the query of an address, taken out before anything can log it."""

from django.http import HttpRequest, QueryDict

KEY = "key"
MASK = "***"


def take_out(request: HttpRequest) -> str:
    """Return the key that a request shows; what is left of it is what logs, error pages and later addresses may say."""
    query = request.GET.copy()
    shown = query.get(KEY, "")
    if KEY in query:
        query[KEY] = MASK
        request.META["QUERY_STRING"] = query.urlencode(safe="*")
        request.GET = QueryDict(request.META["QUERY_STRING"])
    return str(shown)
