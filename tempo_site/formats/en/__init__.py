"""Formats of English pages.

`formats` has what differs from Django's own: moments are never written without their zone.
Everything else is Django's.
"""
