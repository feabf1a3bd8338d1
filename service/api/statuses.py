"""The HTTP status of each error."""

from http import HTTPStatus

from service import errors

STATUS: dict[type[errors.ConvlensError], HTTPStatus] = {
    errors.NotAnImage: HTTPStatus.BAD_REQUEST,
    errors.BrokenBody: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.TooManyBytes: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QueueError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unready: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ConvlensError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status_of(error: errors.ConvlensError) -> HTTPStatus:
    """The status of the nearest class of the error that the table names."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
