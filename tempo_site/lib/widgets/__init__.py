"""Widgets of forms, of pages and admin alike.

`code_editor` is the editor of code, `number_input` a number with usual values beside it.
"""
