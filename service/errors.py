"""The errors that the service raises on purpose. Nothing here knows HTTP.

ConvlensError
├── InputError                  what the caller sent cannot be used
│   ├── NotAnImage              the bytes are no image that can be decoded
│   ├── BrokenBody              the body is damaged, or ends before it should
│   ├── UnsupportedMedia        the request is in a form that is not read
│   ├── NotAcceptable           no representation that the caller accepts
│   ├── TooManyBytes            the body is larger than the limit
│   ├── TooSlow                 the body did not arrive in time
│   ├── TooLarge                an image or a request is over a limit that is known before decoding
│   ├── InvalidParameter        a value is out of its range
│   └── NotServed               the model that is named is there, but cannot be used
├── Unauthorized                the caller has shown no key that is known
├── Forbidden                   the key of the caller does not have the role for it
├── NotFound                    a model, a class or a job that does not exist
├── Gone                        a job that has expired
├── Conflict                    the state of a job does not allow what was asked
├── ModelError                  a model file cannot be used
│   └── WeightsError            the pretrained weights are missing, damaged or foreign
├── EngineError                 a run of the network failed
├── Abandoned                   nobody waits for the work any more
├── QueueError                  the queue or the store cannot be reached
└── TryLater                    the same may well succeed a little later
    ├── Unready                 the service cannot answer yet
    └── Overloaded              the service has more work than it admits
        ├── QueueFull           it has as many jobs as it admits
        └── TooManyRequests     the caller has asked more often than it may
            └── TooManyFailedKeys   the same for keys that are not known, by address
"""


class ConvlensError(Exception):
    """Base of all errors raised on purpose; the message says what to do about it."""


class InputError(ConvlensError):
    """What the caller sent cannot be used."""


class NotAnImage(InputError):
    """The bytes are no image that can be decoded."""


class BrokenBody(InputError):
    """The body is damaged, or ends before it should."""


class UnsupportedMedia(InputError):
    """The request is in a form that is not read."""


class NotAcceptable(InputError):
    """No representation that the caller accepts."""


class TooManyBytes(InputError):
    """The body is larger than the limit."""


class TooSlow(InputError):
    """The body did not arrive in time."""


class TooLarge(InputError):
    """An image or a request is over a limit that is known before decoding."""


class InvalidParameter(InputError):
    """A value is out of its range."""


class NotServed(InputError):
    """The model that is named is there, but cannot be used."""


class Unauthorized(ConvlensError):
    """The caller has shown no key that is known."""


class Forbidden(ConvlensError):
    """The key of the caller does not have the role for what was asked."""


class NotFound(ConvlensError):
    """A model, a class or a job that does not exist."""


class Gone(ConvlensError):
    """A job that has expired."""


class Conflict(ConvlensError):
    """The state of a job does not allow what was asked."""


class ModelError(ConvlensError):
    """A model file cannot be used."""


class WeightsError(ModelError):
    """The pretrained weights are missing, damaged or foreign."""


class EngineError(ConvlensError):
    """A run of the network failed."""


class Abandoned(ConvlensError):
    """Nobody waits for the work any more: the client has gone, or its time is over."""


class QueueError(ConvlensError):
    """The queue or the store cannot be reached."""


class TryLater(ConvlensError):
    """The same may well succeed a little later. retry_after: seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unready(TryLater):
    """The service cannot answer yet."""


class Overloaded(TryLater):
    """The service has more work than it admits."""


class QueueFull(Overloaded):
    """The service has as many jobs as it admits."""


class TooManyRequests(Overloaded):
    """The caller has asked more often than it may."""


class TooManyFailedKeys(TooManyRequests):
    """Keys that are not known, or none at all, have come from an address more often than they may."""
