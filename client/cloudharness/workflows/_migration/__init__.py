"""Read an application's source code, and report what changes with this client.

`check` is the entry. `rules` is the table of what is reported; `files` and `project` find and parse
the files; `statements`, `values` and `calls` find the uses of the library; `report` joins both.
The code is parsed with `ast`, and never imported or executed.
"""
