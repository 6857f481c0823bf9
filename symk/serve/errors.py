"""What a request is refused with."""

__all__ = ["RequestError"]


class RequestError(Exception):
    """A refusal: an HTTP status and what the client is told."""

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.headers = status, list(headers)
