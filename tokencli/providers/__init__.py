"""What each kind of token endpoint speaks: one TOML file each, and the code that reads them.

`spec` holds the words of those files, `template` and `address` the rules by which values land in
URLs, `catalog` the built-in files; `request` and `reply` turn logical names into wire names and back.
"""
