"""A fake authorization server on loopback HTTPS that behaves as the documented systems do.

server         `Sandbox`, which starts and stops everything together
https_server   TLS, one thread per connection, HTTP/1.1
http_messages  requests and responses, independent of sockets
router         which system answers a path, and injected faults
system         `FakeSystem`, the base class of the systems, and the table of them
faults         the table of faults that can be injected
token_db       issued grants and tokens, and the request log
keys           signing keys
workspace      the temporary directory with a configuration for the sandbox
run_command    run a command with the sandbox's environment
"""
