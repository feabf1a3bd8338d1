"""How the service logs: lines for people, or JSON for machines."""

from typing import Any, Literal

QUIET = {
    "onnx_ir": "WARNING",
    "saq": "WARNING",
    "httpx": "WARNING",
    "onnxscript": "WARNING",
    "uvicorn.access": "WARNING",
    "matplotlib": "WARNING",
}


def configuration(form: Literal["text", "json"]) -> dict[str, Any]:
    """For `logging.config.dictConfig`."""
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": "service.api.observation.RequestIdFilter"}},
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "json": {
                "()": "pythonjsonlogger.json.JsonFormatter",
                "fmt": fields,
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["request"]}},
        "root": {"level": "INFO", "handlers": ["console"]},
        "loggers": {name: {"level": level} for name, level in QUIET.items()},
    }
