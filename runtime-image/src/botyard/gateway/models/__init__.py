"""The bodies of the HTTP API, by feature. They also are its documentation: /openapi.json is made from them."""
