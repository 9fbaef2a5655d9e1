"""The audit: one row for every act that changes or starts something, for log-ins, and for keys at new addresses.

`trail` writes the rows, in the transaction of the act; `reading` finds them for the page and the API;
`retention` deletes old ones.
"""
