"""The OpenAPI document of the API, and the page that shows it.

`descriptions` come from the source, `answers` are declared for every operation, `page` makes rows of the document
for people.
"""
