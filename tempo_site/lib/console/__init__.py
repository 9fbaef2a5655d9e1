"""What commands share: `tables` prints rows and JSON, `caller` names who gives a command.

Commands of all apps import it; nothing else does.
"""
