"""A loopback authorization server that behaves as the documented systems do.

server      `Sandbox`: everything started and stopped together
https       the server: TLS, threads, HTTP
router      which system answers a path, and what goes wrong on purpose
systems     what the systems have in common, and the table of them
faults      the table of what can go wrong on purpose
state       what was issued, and what was asked
workspace   a configuration of its own, in a directory that goes away again
child       a command that runs against it
"""
