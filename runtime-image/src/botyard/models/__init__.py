"""Model access: providers, their failures, and what a call may cost at most.

Everything speaks the OpenAI protocol's JSON, so that nothing of a request or an answer is lost on the way: a bundle's
own client, `botyard.model`, the provider and the journal all see the same objects. The rules (`requests`, `script`,
`usage`, `completions`, `retries`, `breaker`) do no I/O; providers and servers stand around them. Nothing here knows
turns: see `botyard.runtime.model_access`.
"""
