"""A fake authorization server on loopback HTTPS that behaves as the documented systems do.

server         `Sandbox`, which starts and stops everything together, and the router
workspace      the temporary directory with the configuration and the secrets
certificates   the CA and the certificates
https_server   TLS and plain HTTP on one port, one thread per connection, HTTP/1.1
http_messages  requests and responses, independent of sockets
system         `FakeSystem`, the base class of the systems, the table of them, and signing keys
sign_in        where users of the system `oauth2` sign in: authorization and device endpoints, page
dpop           checks DPoP proofs
settings       users, clients and lifetimes, and the file that sets them
faults         the table of faults that can be injected
scenarios      the table of scenarios: API calls that fail for one cause
world          what scenarios can change, and the commands that ran before
api            the API of a scenario, which checks access tokens
intermediaries what answers instead of that API
token_db       issued grants and tokens, and the request log
"""
