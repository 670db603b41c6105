"""A fake authorization server on loopback HTTPS that behaves as the documented systems do.

server         `Sandbox`, which starts and stops everything together; its files; and the router
https_server   TLS, one thread per connection, HTTP/1.1
http_messages  requests and responses, independent of sockets
system         `FakeSystem`, the base class of the systems, the table of them, and signing keys
faults         the table of faults that can be injected
token_db       issued grants and tokens, and the request log
run_command    run a command with the sandbox's environment
"""
