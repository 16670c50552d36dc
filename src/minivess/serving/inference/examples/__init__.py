"""Examples of whole requests and answers in the OpenAPI document."""
