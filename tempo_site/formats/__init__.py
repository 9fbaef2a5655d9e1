"""How Django writes numbers and moments, a package a language.

Django finds these by FORMAT_MODULE_PATH in the settings.
Only English is here.
"""
