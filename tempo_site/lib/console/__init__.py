"""What commands share: `tables` prints rows and JSON, `caller` names who gives a command.

`service_report` is what the running service tells them. Beside commands nothing imports the first two.
"""
