"""Steps before the service runs: folders, migrations, the service's user, the first admin.

`bootstrap` prepares a data folder, `static_files` collects, `service_user` steps down from root,
`first_start` guards the set-up page, `first_script` gives a newcomer a script to try.
"""
